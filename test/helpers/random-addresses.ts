import { line, oneOf, pick, rarely, type Words } from './random-words.ts'

const lifetimes = [
  'valid_lft 5000 preferred_lft 4000',
  'valid_lft forever preferred_lft 3000',
  'valid_lft 6000 preferred_lft 0',
  'valid_lft forever preferred_lft 0',
]

const first4 = pick('192.168.1.50/24', '192.168.1.50/24', '192.168.1.51/24', '192.168.1.52/25')
const more4 = pick(
  '192.168.1.51/24',
  '192.168.1.52/24',
  '192.168.1.53/24',
  '192.168.1.54/26',
  '10.5.0.3/16',
  '10.5.0.4/16',
  '10.5.0.5/24',
  '172.16.9.4/31',
  '198.51.100.7/32',
  '198.51.100.8/32',
  '10.7.7.1 peer 10.7.7.2/32',
  '10.7.7.1 peer 10.7.7.3/32',
  '10.8.8.1 peer 10.8.8.128/25',
  '169.254.3.4/16',
)

const ipv4Of = (which: Words, often: number): Words =>
  line(
    'ip addr add',
    which,
    'dev eth0',
    rarely(often, 'broadcast +', 'broadcast 192.168.1.200', 'broadcast 255.255.255.255', 'anycast 1.2.3.4'),
    rarely(often, 'scope link', 'scope host', 'scope 100'),
    rarely(often, 'label eth0:x', 'label eth0:web', 'label eth0:0'),
    rarely(often * 2, 'noprefixroute'),
    rarely(often, 'metric 1', 'metric 100', 'metric 101'),
    rarely(often * 2, 'proto 18'),
    rarely(often, ...lifetimes),
  )

const first6 = pick('fd01::50/64', 'fd01::50/64', 'fd01::51/64')
const more6 = pick(
  'fd01::52/64',
  'fd01::53/64',
  'fd01::54/80',
  '2001:db8:1::50/56',
  '2001:db8:1::51/64',
  'fd05::7/128',
  'fd06::10/127',
  'fd07::1 peer fd07::2/128',
  'fd07::1 peer fd07::3/64',
  'fe80::1234/64',
  'fe80::1235/64',
  'fec0::5/64',
)

const ipv6Of = (which: Words, often: number): Words =>
  line(
    'ip addr add',
    which,
    'dev eth0',
    rarely(often, 'nodad', 'mngtmpaddr', 'home', 'nodad noprefixroute', 'noprefixroute'),
    rarely(often * 3, 'metric 1', 'metric 100', 'metric 257'),
    rarely(often * 4, 'proto 18'),
    rarely(often, ...lifetimes),
  )

export const firstIpv4 = ipv4Of(first4, 8)
export const furtherIpv4 = oneOf([3, ipv4Of(more4, 4)], [1, ipv4Of(first4, 4)])
export const firstIpv6 = ipv6Of(first6, 8)
export const furtherIpv6 = oneOf([3, ipv6Of(more6, 4)], [1, ipv6Of(first6, 4)])

export const secondUplink: readonly string[] = [
  'ip addr add 192.168.2.50/24 dev eth1',
  'ip addr add fd02::50/64 dev eth1',
]

/** What somebody may take away again. */
export const deletion = pick(
  'ip route del 192.168.1.0/24 dev eth0',
  'ip -6 route del fd01::/64 dev eth0 proto kernel',
  'ip -6 route flush dev eth0 proto kernel fe80::/64',
  'ip -6 addr flush dev eth0 scope link',
  'ip route del 10.5.0.0/16 dev eth0',
)

/** Before there are routes: a multipath leg that is dead for lack of an address would come back alive. */
export const earlyDeletion = rarely(
  6,
  'ip addr del 192.168.1.50/24 dev eth0',
  'ip addr del 10.5.0.3/16 dev eth0',
)
