import { describe, expect, test } from 'vitest'

import { brupRefusal } from '../../../src/plan/refusals.ts'
import type { Link, NetworkState } from '../../../src/state.ts'
import { link, plainHost } from '../../helpers/state.ts'

/** What the kernel of a test machine cannot always make: bonds, teams, VRFs, Open vSwitch, tunnels of every kind. */

const sides = { uplink: 'eth0', bridge: 'br0' }

/** A plain host whose uplink is changed so, with more links beside it. */
const withLinks = (uplink: Partial<Link>, ...more: readonly Link[]): NetworkState => {
  const host = plainHost()
  return {
    ...host,
    links: [...host.links.map((one) => (one.name === 'eth0' ? { ...one, ...uplink } : one)), ...more],
  }
}

const refusalOf = (state: NetworkState): string | undefined => {
  const error = brupRefusal(state, sides)
  return error === undefined ? undefined : `${error.exit} ${error.message} (${error.hint ?? ''})`
}

test('a plain host is not refused', () => {
  expect(refusalOf(plainHost())).toBeUndefined()
})

describe('an uplink with a master', () => {
  test.each([
    ['bond0', 'bond', 'use bond0 as the uplink instead'],
    ['team0', 'team', 'use team0 as the uplink instead'],
    ['red', 'vrf', 'use red as the uplink instead'],
    ['ovs-system', 'openvswitch', 'use ovs-system as the uplink instead'],
    ['br7', 'bridge', 'run brdown br7 first, or take it out of br7'],
    ['what', undefined, 'run brdown what first, or take it out of what'],
  ])('%s (%s)', (master, masterKind, hint) => {
    expect(refusalOf(withLinks({ master, masterKind }))).toBe(
      `3 eth0 is already a port of ${master} (${hint})`,
    )
  })
})

describe('what sits on the uplink', () => {
  test.each(['macvlan', 'macvtap', 'ipvlan', 'ipvtap', 'macsec'])('takes its frames: %s', (kind) => {
    const upper = link('up0', { kind, lower: 'eth0' })
    expect(refusalOf(withLinks({}, upper))).toBe(`3 eth0 carries the ${kind} up0 (ip link del up0)`)
    expect(refusalOf(withLinks({}, { ...upper, lower: 'eth1' }))).toBeUndefined()
  })

  const tunnels =
    'vxlan geneve gre gretap ip6gre ip6gretap erspan ip6erspan ipip sit ip6tnl vti vti6 xfrm bareudp'
  test.each(tunnels.split(' '))('would lose its footing: %s', (kind) => {
    const tunnel = link('tun0', { kind, type: 'none', lower: 'eth0' })
    expect(refusalOf(withLinks({}, tunnel))).toBe(
      `3 the ${kind} tun0 is bound to eth0 and would lose its footing (make it without dev eth0, or remove it: ip link del tun0)`,
    )
    expect(refusalOf(withLinks({}, { ...tunnel, lower: undefined }))).toBeUndefined()
  })

  test('a VLAN does not matter: the bridge passes its frames on', () => {
    expect(refusalOf(withLinks({}, link('eth0.5', { kind: 'vlan', lower: 'eth0' })))).toBeUndefined()
  })
})

describe('an uplink that is no Ethernet', () => {
  test.each(['none', 'ppp', 'infiniband'])('%s', (type) => {
    expect(refusalOf(withLinks({ type }))).toBe(
      `3 eth0 is no Ethernet link (${type}) (give another link with --uplink)`,
    )
  })
})
