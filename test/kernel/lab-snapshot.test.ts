import { afterAll, beforeAll, expect, test } from 'vitest'

import { openLab, type Lab } from '../lab/lab.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'

let lab: Lab
beforeAll(async () => {
  lab = await openLab()
  await lab.ip('host', [
    'addr add 192.168.1.51/24 dev eth0 valid_lft 1000 preferred_lft 900',
    'route add fd55::/64 via fd01::1 expires 900',
    'link add br7 type bridge',
  ])
})
afterAll(() => lab.close())

test('is the same a second later, though lifetimes and timers go on', async () => {
  const before = await snapshot(lab)
  await new Promise((resolve) => setTimeout(resolve, 1100))
  expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
  expect(await snapshot(lab)).toBe(before)
})

// What to do, how to undo it, and the section in which it must show.
const changes: readonly (readonly [string, string, string])[] = [
  ['link', 'ip link set eth0 mtu 1400', 'ip link set eth0 mtu 1500'],
  ['link', 'ip link set eth0 alias x', 'ip link set eth0 alias ""'],
  ['link', 'ip link set br7 type bridge ageing_time 1', 'ip link set br7 type bridge ageing_time 30000'],
  ['address', 'ip addr add 10.1.1.1/32 dev lo', 'ip addr del 10.1.1.1/32 dev lo'],
  ['address', 'ip addr add fd00::1/128 dev lo', 'ip addr del fd00::1/128 dev lo'],
  ['route', 'ip route add blackhole 10.9.0.0/16 table 9', 'ip route del blackhole 10.9.0.0/16 table 9'],
  ['route6', 'ip route add fd09::/64 via fd01::1 mtu 1300', 'ip route del fd09::/64'],
  ['rule', 'ip rule add iif eth0 table 9 pref 50', 'ip rule del pref 50'],
  ['rule6', 'ip -6 rule add iif eth0 table 9 pref 50', 'ip -6 rule del pref 50'],
  ['nexthop', 'ip nexthop add id 9 via 192.168.1.1 dev eth0', 'ip nexthop del id 9'],
  [
    'neighbour',
    'ip neigh add 192.168.1.8 lladdr 02:00:00:00:00:08 dev eth0',
    'ip neigh del 192.168.1.8 dev eth0',
  ],
  ['proxy', 'ip neigh add proxy 192.168.1.8 dev eth0', 'ip neigh del proxy 192.168.1.8 dev eth0'],
  ['proxy', 'ip neigh add proxy fd01::8 dev eth0', 'ip neigh del proxy fd01::8 dev eth0'],
  ['sysctl', 'sysctl -w net.ipv4.conf.eth0.arp_notify=1', 'sysctl -w net.ipv4.conf.eth0.arp_notify=0'],
  ['sysctl', 'sysctl -w net.ipv6.conf.default.accept_ra=2', 'sysctl -w net.ipv6.conf.default.accept_ra=1'],
  ['firewall', 'nft add table inet test', 'nft delete table inet test'],
]

test.each(changes)('shows a change of %s: %s', async (section, change, undo) => {
  const before = await snapshot(lab)
  await lab.ok('host', ['sh', '-c', change])
  const differences = diffSnapshots(before, await snapshot(lab))
  await lab.ok('host', ['sh', '-c', undo])
  expect(differences.map((line) => line.split(':')[0])).toContain(section)
  expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
})

test('shows that the order of addresses changed', async () => {
  const add = ['addr add 10.2.0.1/24 dev br7', 'addr add 10.3.0.1/24 dev br7']
  await lab.ip('host', add)
  const before = await snapshot(lab)
  await lab.ip('host', ['addr flush dev br7', ...add.toReversed()])
  const differences = diffSnapshots(before, await snapshot(lab))
  await lab.ip('host', 'addr flush dev br7')
  expect(differences.join('\n')).toMatch(/^address: order: /)
})
