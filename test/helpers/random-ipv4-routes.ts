import { attributes, metric, protocol, reject, table, verb } from './random-route-words.ts'
import { line, oneOf, pick, rarely, type Words } from './random-words.ts'

const dst4 = pick(
  'default',
  'default',
  'default',
  '203.0.113.0/24',
  '203.0.113.9',
  '10.9.0.0/16',
  '10.9.1.0/24',
  '192.168.1.0/24',
  '192.168.2.0/24',
  '10.5.0.0/16',
  '0.0.0.0/1',
)
const hop4 = oneOf(
  [6, pick('via 192.168.1.1 dev eth0', 'via 192.168.1.254 dev eth0', 'via 10.5.0.1 dev eth0')],
  [2, pick('via 192.168.2.1 dev eth1', 'via 192.168.2.254 dev eth1', 'dev eth1')],
  [1, pick('via 100.64.0.1 dev eth0 onlink', 'via inet6 fd01::1 dev eth0', 'via inet6 fe80::1 dev eth0')],
  [1, pick('via inet6 fd02::1 dev eth1', 'via 203.0.113.9')],
)
const leg4 = pick(
  'nexthop via 192.168.1.1 dev eth0',
  'nexthop via 192.168.1.254 dev eth0 weight 5',
  'nexthop dev eth0 weight 2',
  'nexthop via 100.64.0.1 dev eth0 onlink',
  'nexthop via inet6 fd01::1 dev eth0',
  'nexthop via 192.168.2.1 dev eth1 weight 3',
  'nexthop via 192.168.2.1 dev eth1',
)
const source4 = rarely(5, 'src 192.168.1.50', 'src 192.168.1.51', 'src 192.168.2.50', 'src 198.51.100.7')
const tos = rarely(8, 'tos 0x10', 'tos 0x08')
const realm = rarely(15, 'realm 5', 'realm 4/5')

const head4 = (type: string | Words = ''): Words =>
  line('ip route', verb, type, dst4, tos, table, metric(2), protocol, source4, realm, attributes)

// A default route without gateway has a metric of its own: there a gateway may be reached by it alone.
const direct4 = oneOf(
  [
    4,
    line(pick('203.0.113.0/24', '203.0.113.9', '10.9.0.0/16', '192.168.1.0/24', '192.168.2.0/24'), metric(2)),
  ],
  [1, pick('default metric 50', 'default metric 3')],
)

export const ipv4Route: Words = oneOf(
  [
    2,
    line(
      'ip route',
      verb,
      direct4,
      table,
      'dev eth0',
      rarely(3, 'scope link', 'scope host'),
      protocol,
      source4,
    ),
  ],
  [8, line(head4(), hop4)],
  [3, line(head4(), leg4, leg4, rarely(2, 'nexthop via 192.168.2.254 dev eth1', 'nexthop dev eth1'))],
  [1, line('ip route', verb, reject, dst4, table, metric(1), protocol)],
  [
    1,
    line(
      'ip route',
      verb,
      pick('local', 'nat', 'broadcast'),
      pick('10.44.0.0/24', '10.45.0.1'),
      'dev eth0',
      table,
    ),
  ],
  [3, line(head4(), 'nhid', pick('11', '12', '13', '14', '17', '18', '21', '22'))],
)
