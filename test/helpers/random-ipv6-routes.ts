import { attributes, metric, protocol, reject, table, verb } from './random-route-words.ts'
import { line, oneOf, pick, rarely, type Words } from './random-words.ts'

const dst6 = pick(
  'default',
  'default',
  'default',
  '2001:db8:9::/48',
  '2001:db8:9:1::/64',
  '2001:db8:9::9',
  '2000::/3',
)
// Not for the subnet of a gateway: that would hide it from whoever adds a route by it.
const from6 = line(
  pick('default', '2001:db8:9::/48', '2000::/3'),
  pick('from 2001:db8:1::/56', 'from fd01::/64', 'from fd01::50'),
)
const hop6 = oneOf(
  [6, pick('via fd01::1 dev eth0', 'via fe80::1 dev eth0', 'via fd01::fe dev eth0')],
  [2, pick('dev eth0')],
  [2, pick('via fd02::1 dev eth1', 'via fe80::2 dev eth1', 'dev eth1')],
  [1, pick('via fd77::1 dev eth0 onlink', 'via 2001:db8:1::1 dev eth0')],
)
const leg6 = pick(
  'nexthop via fd01::1 dev eth0',
  'nexthop via fe80::1 dev eth0 weight 5',
  'nexthop via fd77::1 dev eth0 onlink',
  'nexthop dev eth0',
  'nexthop via fd02::1 dev eth1 weight 3',
  'nexthop via fd02::1 dev eth1',
)
const source6 = rarely(5, 'src fd01::50', 'src fd01::52', 'src fd02::50')
const preference = rarely(5, 'pref high', 'pref low')
const expiry = rarely(8, 'expires 2000')

const head6: Words = line(
  'ip -6 route',
  verb,
  oneOf([7, dst6], [1, from6]),
  table,
  metric(2),
  protocol,
  source6,
  attributes,
  preference,
  expiry,
)

/**
 * Beside the kernel's own, of eth0 or of eth1. One by a gateway in it must be the worse one, or nobody could add a
 * second such route.
 */
const connected6 = line(
  pick('ip -6 route append', 'ip -6 route prepend'),
  oneOf(
    [
      1,
      line(
        'fd01::/64',
        pick('dev eth0 metric 1', 'dev eth0 metric 255', 'dev eth0 metric 257', 'via fd01::1 metric 300'),
      ),
    ],
    [
      1,
      line(
        'fd02::/64 dev eth0',
        pick('metric 1', 'metric 256', 'metric 300', 'via fe80::1', 'via fe80::1 metric 256'),
      ),
    ],
  ),
  protocol,
  attributes,
)

export const ipv6Route: Words = oneOf(
  [1, connected6],
  [8, line(head6, hop6)],
  [3, line(head6, leg6, leg6, rarely(2, 'nexthop via fd02::1 dev eth1', 'nexthop dev eth1'))],
  [1, line('ip -6 route', verb, reject, dst6, table, metric(1), protocol)],
  [
    1,
    line(
      'ip -6 route',
      verb,
      pick('local', 'anycast', 'multicast'),
      pick('fd44::/64', 'fd45::1'),
      'dev eth0',
      table,
    ),
  ],
  [3, line(head6, 'nhid', pick('14', '15', '16', '19', '20'))],
)
