import type fc from 'fast-check'

import { line, oneOf, pick, some, type Words } from './random-words.ts'

/** What somebody may do to a raised bridge that brup can mend: nothing is added that was not there before. */

const nth = pick('1', '2', '3', '4', '5')
const sides = pick('eth0', 'br0')

const lostAddress = line(
  'ip addr del $(ip -o',
  pick('-4', '-6'),
  "addr show dev br0 | awk '!/peer/ { print $4 }' | sed -n",
  nth.map((at) => `${at}p) dev br0`),
)

const lostRouteOf = (family: '-4' | '-6'): Words =>
  line(
    `ip ${family} route del $(ip ${family} route show table all dev br0 | grep -v 'table local'`,
    "| sed 's/ \\(linkdown\\|pref medium\\|expires.*\\)//g' | sed -n",
    nth.map((at) => `${at}p) dev br0`),
  )

const lostRoute = oneOf([1, lostRouteOf('-4')], [1, lostRouteOf('-6')])

const lostMore = pick(
  'ip -4 addr flush dev br0',
  'ip -6 addr flush dev br0 scope global',
  'ip route del default',
  'ip -6 route del default',
  'ip route flush dev br0',
  'ip -6 route flush dev br0 scope global',
  'ip route flush table 100',
  'ip rule del iif br0',
  'ip -6 rule del iif br0',
  'ip neigh flush dev br0 nud permanent',
  'ip nexthop flush dev br0',
)

const changedLink = oneOf(
  [2, line('ip link set', sides, 'mtu', pick('1200', '1280', '1400', '3000'))],
  [2, line('ip link set', sides, 'address', pick('02:00:00:00:07:01', '06:00:00:00:07:02'))],
  [2, line('ip link set', sides, 'down')],
  [1, line('ip link set br0 down; ip link set br0 up')],
  [2, line('ip link set eth0 nomaster')],
  [1, line('ip link set br0 alias', pick('mine', "''"))],
  [1, line('ip link del br0')],
)

/** What a DHCP client would do. */
const putBack = oneOf(
  [2, line('ip addr add $(ip -o -4 addr show dev br0 | awk', "'{ print $4 }' | head -n 1) dev eth0")],
  [
    1,
    line(
      'ip -6 addr add $(ip -o -6 addr show dev br0 scope global | awk',
      "'{ print $4 }' | head -n 1) dev eth0 nodad",
    ),
  ],
  [
    1,
    line(
      'ip addr add 192.168.1.50/24 dev eth0 || :; ip route append default via 192.168.1.1 dev eth0',
      pick('', 'proto dhcp'),
    ),
  ],
)

/** With another MAC of the uplink's, without our bridge, nothing tells that the journal is about this uplink. */
const isForeign = (commands: readonly string[]): boolean =>
  ['link set eth0 address', 'link del br0'].every((words) => commands.some((each) => each.includes(words)))

export const randomDrift: fc.Arbitrary<readonly string[]> = some(
  oneOf([3, lostAddress], [3, lostRoute], [3, lostMore], [4, changedLink], [2, putBack]),
  5,
  1,
).filter((commands) => !isForeign(commands))
