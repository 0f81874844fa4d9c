import { expect, test } from 'vitest'

import { ownerNames, ownerText } from '../../../src/plan/owner-names.ts'
import type { NetworkState } from '../../../src/state.ts'
import { plainHost } from '../../helpers/state.ts'

const sides = { uplink: 'eth0', bridge: 'br0' }
const client = {
  name: 'dhclient',
  families: [4],
  path: '/sbin/dhclient',
  words: [],
  env: {},
  confined: false,
} as const
const device = { managed: true, autoconnect: true, profile: 'f3a0' }

const texts = (parts: Partial<NetworkState>, isIfupdowns = false, raised?: NetworkState): readonly string[] =>
  ownerNames({ before: { ...plainHost(), ...parts }, raised, isIfupdowns }, sides).map((owner) =>
    ownerText(owner, 'eth0'),
  )

const managedBy = (file: string): NetworkState['networkd'] => ({
  running: true,
  units: [],
  managed: [{ dev: 'eth0', file }],
})

test.each<[string, Partial<NetworkState>, boolean, string]>([
  [
    'networkd',
    { networkd: managedBy('/etc/systemd/network/10-eth0.network') },
    false,
    'systemd-networkd (/etc/systemd/network/10-eth0.network), which manages br0 in its place, by files under /run/systemd/network',
  ],
  [
    'netplan',
    { networkd: managedBy('/run/systemd/network/10-netplan-eth0.network') },
    false,
    'systemd-networkd (/run/systemd/network/10-netplan-eth0.network of netplan), which manages br0 in its place, by files under /run/systemd/network',
  ],
  [
    'NetworkManager',
    { manager: { uplink: device, told: undefined } },
    false,
    'NetworkManager (profile f3a0), which leaves eth0 and br0 alone',
  ],
  [
    'a client',
    { clients: [{ ...client, dev: 'eth0' }] },
    false,
    'dhclient, which goes to br0 with its lease',
  ],
  ['ifupdown', {}, true, 'ifupdown, which is not to be told of eth0 until brdown'],
])('%s', (_, parts, isIfupdowns, text) => {
  expect(texts(parts, isIfupdowns)).toEqual([`eth0 is managed by ${text}`])
})

test('nobody, where others manage other links', () => {
  const other = { running: true, units: [], managed: [{ dev: 'eth1', file: '/x' }] }
  const manager = { uplink: { ...device, managed: false }, told: undefined }
  expect(texts({ networkd: other, manager, clients: [{ ...client, dev: 'br0' }] })).toEqual([])
})

test('where the user told another address nobody has a lease on the bridge', () => {
  const addresses = plainHost().addresses.map((address) => ({ ...address, validUntil: 100 }))
  const raised = { ...plainHost(), clients: [], networkd: { running: true, units: [], managed: [] } }
  expect(texts({ clients: [{ ...client, dev: 'eth0' }] }, false, raised)).toEqual([
    'eth0 is managed by dhclient, which is ended until brdown',
  ])
  expect(texts({ manager: { uplink: device, told: undefined }, addresses }, false, raised)).toEqual([
    'eth0 is managed by NetworkManager (profile f3a0), which leaves eth0 and br0 alone',
  ])
  expect(texts({ networkd: managedBy('/x') }, false, raised)).toEqual([
    'eth0 is managed by systemd-networkd (/x), which leaves eth0 and br0 alone, by files under /run/systemd/network',
  ])
})
