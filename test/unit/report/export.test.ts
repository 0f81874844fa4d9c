import { describe, expect, test } from 'vitest'

import { parseDhcpRange, parseHostCidr } from '../../../src/names.ts'
import { exportKinds } from '../../../src/options.ts'
import { dnsmasqWords } from '../../../src/plan/dnsmasq.ts'
import { ownBridgeGoal, raisedGoal } from '../../../src/plan/goals.ts'
import { permanentOf, type Permanent } from '../../../src/plan/permanent.ts'
import { exportOf, exportOutcome } from '../../../src/report/export/kinds.ts'
import type { Address, NetworkState, Route } from '../../../src/state.ts'
import { address, link, plainHost, prefixRoute, route, rule } from '../../helpers/state.ts'

const sides = { uplink: 'eth0', bridge: 'br0' }
const id = 'abcdef0123'

const raised = (state: NetworkState): Permanent =>
  permanentOf(raisedGoal(state, { sides, id }), { sides, nat: false, forwards: [] })

/** The plain host with other addresses and routes on its uplink. */
const hostWith = (more: Partial<NetworkState>): NetworkState => ({ ...plainHost(), ...more })

const linkLocal = address('fe80::ff:fe00:1/64', 'eth0')

const leased = (): NetworkState =>
  hostWith({
    addresses: [address('192.168.1.50/24', 'eth0', { validUntil: 3600, preferredUntil: 3600 }), linkLocal],
    routes: [
      route('default', 'eth0', '192.168.1.1', { metric: 100 }),
      prefixRoute('192.168.1.0/24', 'eth0', '192.168.1.50'),
      prefixRoute('fe80::/64', 'eth0'),
    ],
  })

const advertised = (): NetworkState => {
  const times = { validUntil: 3600, preferredUntil: 1800 }
  return hostWith({
    addresses: [
      address('192.168.1.50/24', 'eth0', { broadcast: '192.168.1.255' }),
      address('fd01::5a3b:1/64', 'eth0', { ...times, status: ['temporary'] }),
      address('fd01::ff:fe00:1/64', 'eth0', { ...times, flags: ['mngtmpaddr'], protocol: 'kernel_ra' }),
      linkLocal,
    ],
    routes: [
      route('default', 'eth0', '192.168.1.1'),
      prefixRoute('192.168.1.0/24', 'eth0', '192.168.1.50'),
      route('fd01::/64', 'eth0', undefined, { protocol: 'kernel', metric: 256, expiresAt: 3600 }),
      route('default', 'eth0', 'fe80::1', { protocol: 'ra', expiresAt: 1800 }),
    ],
    sysctls: [
      { family: 6, dev: 'eth0', key: 'accept_ra', value: '1' },
      { family: 6, dev: 'eth0', key: 'use_tempaddr', value: '2' },
    ],
  })
}

const laden = (): NetworkState => {
  const plain = plainHost()
  return {
    ...plain,
    addresses: [
      ...plain.addresses.slice(0, 1),
      address('10.9.0.1/24', 'eth0', { label: 'eth0:9', broadcast: '10.9.0.255' }),
      address('10.8.0.1/32', 'eth0', { peer: '10.8.0.2', prefixLength: 32 }),
      address('192.168.1.51/24', 'eth0', { status: ['secondary'] }),
      address('fd01::51/64', 'eth0', { preferredUntil: 0 }),
      ...plain.addresses.slice(1),
    ],
    routes: [
      ...plain.routes,
      route('10.7.0.0/16', 'eth0', '192.168.1.1', {
        source: '192.168.1.51',
        metrics: [
          ['mtu', 'lock', '1300'],
          ['initcwnd', '20'],
        ],
      }),
      route('10.6.0.0/16', 'eth0', '172.16.0.1', { hops: [hop('172.16.0.1', { onlink: true })] }),
      route('10.5.0.0/16', 'eth0', '192.168.1.1', { nhid: 5 }),
      route('10.4.0.0/16', 'eth0', '192.168.1.2', { tos: '0x10' }),
      route('10.3.0.0/16', 'eth0', '192.168.1.1', { protocol: 'bird' }),
      route('10.2.0.0/16', 'eth0', '192.168.1.1', {
        hops: [hop('192.168.1.1', { weight: 1 }), hop('192.168.1.2', { weight: 3 })],
      }),
      route('default', 'eth0', '192.168.1.1', { table: '100' }),
      route('fd77::/64', 'eth0', 'fd01::1', { metric: 5, preference: 'high' }),
    ],
    rules: [
      rule(0, { words: ['table', 'local'] }),
      rule(500, { iif: 'eth0' }),
      rule(501, { words: ['from', '192.168.1.51', 'table', '100'] }),
      rule(502, { words: ['from', '172.16.0.0/12', 'table', '7'] }),
      rule(503, { words: ['fwmark', '0x7', 'goto', '900'], oif: 'eth0' }),
      rule(32766, { words: ['table', 'main'] }),
    ],
    neighbours: [
      { family: 4, dev: 'eth0', dst: '192.168.1.77', mac: '02:00:00:00:00:77', proxy: false, router: false },
      { family: 6, dev: 'eth0', dst: 'fd01::99', mac: undefined, proxy: true, router: false },
    ],
    nexthops: [{ id: 5, family: 4, dev: 'eth0', group: [], words: ['via', '192.168.1.1'], unknown: [] }],
  }
}

const hop = (gateway: string, more: Partial<Route['hops'][number]> = {}): Route['hops'][number] => ({
  ...{ dev: 'eth0', gateway, viaFamily: undefined, weight: undefined, onlink: false },
  ...more,
})

function own({ nat }: { nat: boolean }): Permanent {
  const addresses = ['192.168.40.1/24', 'fd40::1/64'].map((text) => parseHostCidr(text))
  const bridge = 'br20'
  const dhcpRange = parseDhcpRange('192.168.40.50,192.168.40.150')
  const guests = [
    { mac: '52:54:00:12:34:56', name: 'build', address: { family: 4, text: '192.168.40.9' } as const },
    { mac: '52:54:00:12:34:57', name: 'six', address: { family: 6, text: 'fd40::9' } as const },
  ]
  const dnsmasq = dnsmasqWords({
    bridge,
    addresses,
    nat,
    dhcpRange,
    guests,
    runDir: '/run/x',
    mtu: undefined,
  })
  const goal = ownBridgeGoal(plainHost(), {
    ...{ bridge, id, addresses, nat, dnsmasq, forwards: [], mtu: undefined, stp: !nat },
  })
  const given = addresses.map(({ text, prefixLength }): Address => address(`${text}/${prefixLength}`, bridge))
  const state = { ...goal, addresses: [...goal.addresses, ...given] }
  const forwards = nat ? ['tcp 8080 192.168.40.9:80'] : []
  return permanentOf(state, { sides: { uplink: undefined, bridge }, nat, forwards })
}

const states: Readonly<Record<string, () => Permanent>> = {
  static: () => raised(plainHost()),
  dhcp: () => raised(leased()),
  ra: () => raised(advertised()),
  laden: () => raised(laden()),
  'host-only': () => own({ nat: false }),
  nat: () => own({ nat: true }),
}

describe.each(Object.entries(states))('%s', (name, permanent) => {
  test.each(exportKinds)('for %s', async (kind) => {
    const { text } = exportOutcome(kind, permanent())
    await expect(text).toMatchFileSnapshot(`../../fixtures/export/${name}-${kind}.txt`)
  })
})

test.each(exportKinds)('the text of %s holds all that the document has', (kind) => {
  const permanent = raised(laden())
  const { files, notes } = exportOf(kind, permanent)
  const { text, json } = exportOutcome(kind, permanent)
  expect(json).toEqual({ uplink: 'eth0', export: { kind, files, notes } })
  for (const file of files) expect(text).toContain(file.text)
  for (const note of notes) expect(text).toContain(note.replaceAll('--', '- -').slice(0, 30))
})

describe('where an address comes from', () => {
  const client = {
    name: 'udhcpc',
    families: [4],
    dev: 'eth0',
    path: '/bin/udhcpc',
    env: {},
    confined: false,
  } as const
  const asked = (...addresses: readonly Address[]): NetworkState =>
    hostWith({ addresses, clients: [{ ...client, dev: 'br0', words: ['-i', 'br0', '-r', '192.168.1.50'] }] })

  test('a lease without an end is that of the client', () => {
    const { addresses, dhcp } = raised(
      asked(address('192.168.1.50/24', 'eth0'), address('10.0.0.1/8', 'eth0')),
    )
    expect([dhcp, addresses.map(({ local }) => local)]).toEqual([[4], ['10.0.0.1']])
  })

  test('DHCPv6 gives single addresses, and a router prefixes', () => {
    const finite = { validUntil: 3600, preferredUntil: 3600 }
    const { dhcp, addresses, ipv6 } = raised(
      hostWith({ addresses: [address('fd01::7/128', 'eth0', finite)], routes: [] }),
    )
    expect([dhcp, addresses, ipv6.advertised]).toEqual([[6], [], 'ignored'])
  })

  test("a link-local address that is not the kernel's is carried", () => {
    const { addresses } = raised(hostWith({ addresses: [address('fe80::1/64', 'eth0'), linkLocal] }))
    expect(addresses.map(({ local }) => local)).toEqual(['fe80::1'])
  })

  test('another uplink than an Ethernet card is left to its own configuration', () => {
    const bond = hostWith({ links: [link('eth0', { kind: 'bond' })] })
    for (const kind of ['netplan', 'networkmanager'] as const) {
      const { files, notes } = exportOf(kind, raised(bond))
      expect(files.filter(({ text }) => text.includes('eth0'))).toHaveLength(kind === 'netplan' ? 1 : 0)
      expect(files[0]?.text).not.toContain('ethernets')
      expect(notes.join('\n')).toContain('eth0 is no Ethernet card')
    }
  })
})
