import { line, oneOf, pick, rarely, type Words } from './random-words.ts'

export const nexthops: Words = pick(
  'ip nexthop add id 11 via 192.168.1.1 dev eth0',
  'ip nexthop add id 11 via 192.168.1.1 dev eth0 proto bgp',
  'ip nexthop add id 12 via 192.168.1.254 dev eth0',
  'ip nexthop add id 13 via 192.168.2.1 dev eth1',
  'ip nexthop add id 14 blackhole',
  'ip nexthop add id 21 dev eth0',
  'ip nexthop add id 22 via 100.64.0.1 dev eth0 onlink',
  'ip nexthop add id 22 via fd01::1 dev eth0',
  'ip nexthop add id 15 via fd01::1 dev eth0',
  'ip nexthop add id 16 via fe80::1 dev eth0',
  'ip nexthop add id 23 via fd02::1 dev eth1',
)

export const groups: Words = pick(
  'ip nexthop add id 17 group 11/12',
  'ip nexthop add id 17 group 11/13',
  'ip nexthop add id 18 group 11,3/13,5',
  'ip nexthop add id 18 group 12',
  'ip nexthop add id 19 group 15/16',
  'ip nexthop add id 20 group 15,2/23,7 proto bgp',
)

const priority = pick('pref 50', 'pref 60', 'pref 60', 'pref 60', 'pref 70')
const selector = pick(
  'iif eth0',
  'oif eth0',
  'iif eth0 fwmark 0x1',
  'iif eth1',
  'oif eth0 ipproto tcp dport 80',
  'fwmark 7/0xff',
)
const action = pick('table 100', 'table 200', 'table main suppress_prefixlength 0', 'goto 32766')

export const rule: Words = oneOf(
  [
    3,
    line(
      'ip rule add',
      selector,
      priority,
      rarely(4, 'tos 0x10', 'protocol static', 'uidrange 5-9'),
      rarely(4, 'from 10.9.0.0/16', 'to 203.0.113.9'),
      action,
    ),
  ],
  [2, line('ip -6 rule add', selector, priority, rarely(4, 'from fd01::/64', 'to 2001:db8:9::/48'), action)],
  [
    1,
    line(
      pick('ip rule add', 'ip -6 rule add'),
      pick('iif eth0', 'oif eth0', 'iif eth1'),
      priority,
      pick('blackhole', 'prohibit', 'unreachable'),
    ),
  ],
)

export const neighbour: Words = pick(
  'ip neigh add 192.168.1.9 lladdr 02:00:00:00:00:09 dev eth0 nud permanent',
  'ip neigh add 192.168.1.1 lladdr 02:00:00:00:01:01 dev eth0 nud permanent',
  'ip neigh add 10.5.0.9 lladdr 02:00:00:00:00:0a dev eth0 nud permanent',
  'ip neigh add fd01::9 lladdr 02:00:00:00:00:09 dev eth0 nud permanent',
  'ip neigh add fd01::a lladdr 02:00:00:00:00:0a dev eth0 router nud permanent',
  'ip neigh add fe80::1 lladdr 02:00:00:00:01:01 dev eth0 nud permanent',
  'ip neigh add proxy 192.168.1.77 dev eth0',
  'ip neigh add proxy 10.5.0.77 dev eth0',
  'ip neigh add proxy fd01::77 dev eth0',
  'ip neigh add proxy fd01::78 dev eth0',
)

const setting = (family: 4 | 6, key: string, ...values: readonly (number | string)[]): Words =>
  pick(...values.map((value) => `echo ${value} >/proc/sys/net/ipv${family}/conf/eth0/${key}`))

export const sysctl: Words = oneOf(
  [2, setting(4, 'rp_filter', 0, 1, 2)],
  [2, setting(4, 'forwarding', 1)],
  [
    2,
    oneOf(
      [1, setting(4, 'arp_ignore', 1, 2)],
      [1, setting(4, 'arp_announce', 2)],
      [1, setting(4, 'arp_notify', 1)],
      [1, setting(4, 'arp_filter', 1)],
    ),
  ],
  [1, setting(4, 'proxy_arp', 1)],
  [
    1,
    oneOf(
      [1, setting(4, 'send_redirects', 0)],
      [1, setting(4, 'log_martians', 1)],
      [1, setting(4, 'disable_policy', 1)],
      [1, setting(4, 'route_localnet', 1)],
      [1, setting(4, 'src_valid_mark', 1)],
      [1, setting(4, 'force_igmp_version', 2)],
    ),
  ],
  [2, setting(4, 'promote_secondaries', 0, 1)],
  [1, setting(4, 'ignore_routes_with_linkdown', 1)],
  [1, setting(6, 'ignore_routes_with_linkdown', 1)],
  [2, setting(6, 'accept_ra', 0, 2)],
  [1, setting(6, 'autoconf', 0)],
  [2, setting(6, 'forwarding', 1)],
  [1, setting(6, 'addr_gen_mode', 0, 1, 2, 3)],
  [1, setting(6, 'use_tempaddr', 1, 2, -1)],
  [1, setting(6, 'stable_secret', '2001:db8::1:2')],
  [2, setting(6, 'accept_dad', 0, 2)],
  [1, setting(6, 'keep_addr_on_down', 1, -1)],
  [
    1,
    oneOf(
      [1, setting(6, 'disable_policy', 1)],
      [1, setting(6, 'proxy_ndp', 1)],
      [1, setting(6, 'hop_limit', 33)],
      [1, setting(6, 'dad_transmits', 3)],
      [1, setting(6, 'ra_defrtr_metric', 77)],
      [1, setting(6, 'accept_source_route', -1)],
    ),
  ],
  [1, setting(6, 'mtu', 1280, 1300, 1500)],
)

/** Before there are routes: next-hop objects and routes by two links outlive it, and nobody could make them again. */
export const disabling: Words = rarely(20, 'echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6')

export const global: Words = rarely(
  12,
  'echo 1 >/proc/sys/net/ipv6/conf/all/accept_dad',
  'echo 1 >/proc/sys/net/ipv6/conf/all/accept_dad',
  'echo 1 >/proc/sys/net/ipv6/conf/all/forwarding',
)
