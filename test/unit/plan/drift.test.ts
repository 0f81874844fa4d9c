import { describe, expect, test } from 'vitest'

import { compare } from '../../../src/plan/compare.ts'
import { driftOf, repairGoal, strayPorts, type Left } from '../../../src/plan/drift.ts'
import { raisedGoal } from '../../../src/plan/goals.ts'
import { loweredGoal } from '../../../src/plan/lowered-goal.ts'
import { makePlan, stepsOf } from '../../../src/plan/planner.ts'
import { withIndexes } from '../../../src/plan/repaired-goal.ts'
import { rebase } from '../../../src/plan/rebase.ts'
import { stepCommand } from '../../../src/report/script.ts'
import type { Address, Link, NetworkState, Nexthop, Route } from '../../../src/state.ts'
import { address, link, plainHost, prefixRoute, route } from '../../helpers/state.ts'

const sides = { uplink: 'eth0', bridge: 'br0' }
const id = '0123456789'

/** The goal in the order in which a kernel would list it: the bridge has the index that it got. */
function raise(before: NetworkState): NetworkState {
  const goal = raisedGoal(before, { sides, id })
  return { ...goal, links: goal.links.map((each) => (each.name === 'br0' ? { ...each, index: 9 } : each)) }
}

const original = plainHost()
const raised = raise(original)
const at = 1000
const left: Left = { sides, id, adopted: false, raised, at, routed: [], opening: undefined }

const withLinks = (state: NetworkState, change: (link: Link) => Link): NetworkState => ({
  ...state,
  links: state.links.map(change),
})
const changed = (name: string, traits: Partial<Link>): NetworkState =>
  withLinks(raised, (each) => (each.name === name ? { ...each, ...traits } : each))
const withAddresses = (...more: readonly Address[]): NetworkState => ({
  ...raised,
  addresses: [...raised.addresses, ...more],
})
const withRoutes = (state: NetworkState, ...more: readonly Route[]): NetworkState => ({
  ...state,
  routes: [...state.routes, ...more],
})
const withoutAddress = (state: NetworkState, local: string): NetworkState => ({
  ...state,
  addresses: state.addresses.filter((each) => each.local !== local),
})
const withoutRoutes = (state: NetworkState, gone: (route: Route) => boolean): NetworkState => ({
  ...state,
  routes: state.routes.filter((each) => !gone(each)),
})

const lowered = (now: NetworkState, before = original, then = raised): NetworkState =>
  rebase(loweredGoal(now, { sides, original: before, raised: then, at }), now, sides)
const onUplink = (state: NetworkState): readonly string[] =>
  state.addresses.filter(({ dev }) => dev === 'eth0').map(({ local }) => local)
const gateways = (state: NetworkState): readonly string[] =>
  state.routes.flatMap(({ dst, hops }) =>
    dst === 'default' ? hops.map(({ gateway, dev }) => `${String(gateway)} ${String(dev)}`) : [],
  )

const second = address('10.1.1.1/24', 'eth0')
const defaultRoute = (gateway: string, dev = 'br0', more: Partial<Route> = {}): Route =>
  route('default', dev, gateway, more)

test('an address that the kernel made of an advertisement since is not too much, but on a port', () => {
  const advertised = (dev: string): NetworkState =>
    withRoutes(
      withAddresses(
        address('fd03::50/64', dev, {
          flags: ['mngtmpaddr'],
          validUntil: at + 900,
          preferredUntil: at + 900,
        }),
      ),
      prefixRoute('fd03::/64', dev),
    )
  expect(compare(advertised('br0'), raised, sides)).toEqual([])
  expect(compare(advertised('eth0'), raised, sides)).toHaveLength(2)
})

test('as brup left it there is no drift, and no step', () => {
  expect(driftOf(raised, left)).toEqual([])
  expect(stepsOf(makePlan(raised, repairGoal(raised, left), sides))).toEqual([])
})

describe('what was added to the bridge is no drift, and goes to the uplink', () => {
  const added = { ...second, dev: 'br0', label: 'br0' }
  const mine = route('10.77.0.0/16', 'br0', '192.168.1.1')
  const now = withRoutes(withAddresses(added), prefixRoute('10.1.1.0/24', 'br0', '10.1.1.1'), mine)

  test('an address with its prefix route, and a route', () => {
    expect(driftOf(now, left)).toEqual([])
    const goal = lowered(now)
    expect(onUplink(goal)).toEqual(['192.168.1.50', '10.1.1.1', 'fd01::50', 'fe80::1'])
    const more = goal.routes.filter(({ dst }) => /^10\./.test(dst))
    expect(more.map(({ dst, hops }) => [dst, hops[0]?.dev])).toEqual([
      ['10.1.1.0/24', 'eth0'],
      ['10.77.0.0/16', 'eth0'],
    ])
  })

  test('also after a repair: the state of the commit stays the measure', () => {
    const again = withIndexes(raised, now, sides)
    expect(onUplink(lowered(now, original, again))).toEqual(onUplink(lowered(now)))
  })
})

describe('what was put on the uplink', () => {
  test('goes where the bridge has it', () => {
    const now = withRoutes(
      withAddresses(address('192.168.1.50/24', 'eth0')),
      prefixRoute('192.168.1.0/24', 'eth0', '192.168.1.50'),
      defaultRoute('192.168.1.1', 'eth0', { protocol: 'dhcp' }),
    )
    expect(driftOf(now, left)).toEqual([
      'too much: address 192.168.1.50/24 dev eth0',
      expect.stringMatching(/^too much: route unicast 192\.168\.1\.0\/24 .* dev eth0$/),
      expect.stringMatching(/^too much: route unicast 0\.0\.0\.0\/0 .* proto dhcp .* dev eth0$/),
    ])
    const goal = repairGoal(now, left)
    expect([onUplink(goal), gateways(goal)]).toEqual([[], gateways(raised)])
    expect([onUplink(lowered(now)), gateways(lowered(now))]).toEqual([onUplink(original), gateways(original)])
  })

  test('is moved where it does not, with its prefix route', () => {
    const goal = repairGoal(withAddresses(second), left)
    expect(goal.addresses.find(({ local }) => local === '10.1.1.1')).toMatchObject({
      dev: 'br0',
      label: 'br0',
    })
    expect(goal.routes.find(({ dst }) => dst === '10.1.1.0/24')?.hops[0]?.dev).toBe('br0')
  })

  test('keeps its place there while the uplink is no port', () => {
    const now = {
      ...withLinks(raised, (each) => ({ ...each, master: undefined })),
      addresses: [second, ...raised.addresses, { ...second, dev: 'br0', label: 'br0' }],
    }
    expect(onUplink(lowered(now))).toEqual(['10.1.1.1', '192.168.1.50', 'fd01::50', 'fe80::1'])
  })

  test('is made anew there, in the order of before, where it became a primary', () => {
    const host = {
      ...original,
      addresses: [
        address('192.168.1.50/24', 'eth0'),
        address('192.168.1.51/24', 'eth0', { status: ['secondary'] }),
      ],
    }
    const then = raise(host)
    const now = {
      ...withLinks(then, (each) => ({ ...each, master: undefined })),
      addresses: [address('192.168.1.51/24', 'eth0'), ...then.addresses],
    }
    expect(lowered(now, host, then).addresses).toEqual(host.addresses)
  })

  test('a lease that was renewed there lengthens that of the bridge', () => {
    const leased = (dev: string, validUntil: number): Address =>
      address('192.168.1.50/24', dev, { validUntil, preferredUntil: validUntil })
    const then: Left = { ...left, raised: { ...raised, addresses: [leased('br0', 100)] } }
    const now = { ...then.raised, addresses: [leased('br0', 100), leased('eth0', 900)] }
    expect(repairGoal(now, then).addresses).toMatchObject([{ dev: 'br0', validUntil: 900 }])
  })

  test('and on the bridge alike is there once, the bridge’s own', () => {
    const neighbour = (dev: string, mac: string): NetworkState['neighbours'][number] => ({
      family: 4,
      dev,
      dst: '192.168.1.7',
      mac,
      proxy: false,
      router: false,
    })
    const now = { ...raised, neighbours: [neighbour('eth0', 'b'), neighbour('br0', 'a')] }
    expect(repairGoal(now, left).neighbours).toEqual([neighbour('br0', 'a')])
    expect(lowered(now).neighbours).toEqual([neighbour('eth0', 'a')])
  })

  test('link-local addresses are the kernel’s own matter', () => {
    const goal = repairGoal(withAddresses(address('fe80::9/64', 'eth0')), left)
    expect(goal.addresses.filter(({ local }) => local === 'fe80::9')).toEqual([])
  })
})

describe('what went from the bridge', () => {
  const isDefault4 = ({ dst, family }: Route): boolean => dst === 'default' && family === 4

  test('was lost: it is drift, and comes back in both directions', () => {
    const now = withoutRoutes(withoutAddress(raised, 'fd01::50'), isDefault4)
    expect(driftOf(now, left)).toEqual([
      'missing: address fd01::50/64 dev br0',
      'missing: route unicast 0.0.0.0/0 table main proto boot scope global via 192.168.1.1 dev br0',
    ])
    expect([...onUplink(lowered(now))].sort()).toEqual([...onUplink(original)].sort())
    expect([...gateways(lowered(now))].sort()).toEqual([...gateways(original)].sort())
  })

  test('but was replaced where another stands in its place', () => {
    const now = withRoutes(withoutRoutes(raised, isDefault4), defaultRoute('192.168.1.2'))
    expect(driftOf(now, left)).toEqual([])
    expect([...gateways(lowered(now))].sort()).toEqual(['192.168.1.2 eth0', 'fd01::1 eth0'])
  })

  test('nor in the way of another link’s route in its place, but of one with another metric', () => {
    const others = (metric: number): NetworkState =>
      withRoutes(withoutRoutes(raised, isDefault4), defaultRoute('192.168.2.1', 'eth1', { metric }))
    expect(driftOf(others(0), left)).toEqual([])
    expect([...gateways(lowered(others(0)))].sort()).toEqual(['192.168.2.1 eth1', 'fd01::1 eth0'])
    expect(gateways(lowered(others(700)))).toContain('192.168.1.1 eth0')
  })

  test('an address with another prefix length stands in the place of the first', () => {
    const now = withoutRoutes(
      withAddresses(address('192.168.1.50/16', 'br0')),
      ({ dst }) => dst === '192.168.1.0/24',
    )
    const without = {
      ...now,
      addresses: now.addresses.filter((each) => each.local !== '192.168.1.50' || each.prefixLength === 16),
    }
    expect(driftOf(without, left)).toEqual([])
  })

  test('a lease that has expired is over, and so are the routes that need it', () => {
    const host = {
      ...original,
      addresses: [
        address('10.3.0.5/24', 'eth0', { validUntil: at, preferredUntil: at }),
        ...original.addresses,
      ],
      routes: [
        prefixRoute('10.3.0.0/24', 'eth0', '10.3.0.5'),
        route('10.4.0.0/16', 'eth0', '10.3.0.1'),
        route('10.5.0.0/16', 'eth0', '192.168.1.1', { source: '10.3.0.5' }),
        ...original.routes,
      ],
    }
    const then: Left = { ...left, raised: raise(host) }
    const now = withoutRoutes(withoutAddress(then.raised, '10.3.0.5'), ({ dst }) => dst.startsWith('10.'))
    expect(driftOf(now, then)).toEqual([])
    const goal = lowered(now, host, then.raised)
    expect(onUplink(goal)).not.toContain('10.3.0.5')
    expect(goal.routes.filter(({ dst }) => dst.startsWith('10.'))).toEqual([])
  })

  const leased = (validUntil: number, cidr = '10.3.0.5/24', dev = 'eth0'): Address =>
    address(cidr, dev, { validUntil, preferredUntil: validUntil })

  test('a lease that runs was lost, but where a new one has come', () => {
    const host = { ...original, addresses: [leased(at + 100), ...original.addresses] }
    const then: Left = { ...left, raised: raise(host) }
    const now = withoutAddress(then.raised, '10.3.0.5')
    expect(driftOf(now, then)).toEqual(['missing: address 10.3.0.5/24 dev br0'])
    expect(onUplink(lowered(now, host, then.raised))).toContain('10.3.0.5')
    const renewed = { ...now, addresses: [leased(at + 900, '10.4.0.5/24', 'br0'), ...now.addresses] }
    expect(driftOf(renewed, then)).toEqual([])
    expect(onUplink(lowered(renewed, host, then.raised))).not.toContain('10.3.0.5')
  })

  test('a lease that was renewed on the uplink has not gone from the bridge, where it has expired', () => {
    const host = { ...original, addresses: [leased(at, '192.168.1.50/24')] }
    const then: Left = { ...left, raised: raise(host) }
    const now = withoutRoutes(
      { ...then.raised, addresses: [leased(at + 900, '192.168.1.50/24')] },
      ({ family }) => family === 4,
    )
    const goals = [repairGoal(now, then), lowered(now, host, then.raised)]
    expect(goals.map(({ addresses }) => addresses)).toMatchObject([
      [{ dev: 'br0', validUntil: at + 900 }],
      [{ dev: 'eth0', validUntil: at + 900 }],
    ])
    const defaults = goals.map((goal) => gateways(goal).filter((each) => each.startsWith('192.')))
    expect(defaults).toEqual([['192.168.1.1 br0'], ['192.168.1.1 eth0']])
  })

  test('an address was replaced where a new one of its subnet stands on the bridge', () => {
    const host = {
      ...original,
      routes: [...original.routes, route('10.5.0.0/16', 'eth0', '192.168.1.1', { source: '192.168.1.50' })],
    }
    const then = raise(host)
    const isOfOld = ({ source }: Route): boolean => source === '192.168.1.50'
    const now = withRoutes(
      withoutRoutes(withoutAddress(then, '192.168.1.50'), isOfOld),
      prefixRoute('192.168.1.0/24', 'br0', '192.168.1.60'),
    )
    const renumbered = { ...now, addresses: [address('192.168.1.60/24', 'br0'), ...now.addresses] }
    expect(driftOf(renumbered, { ...left, raised: then })).toEqual([])
    const goal = lowered(renumbered, host, then)
    expect(onUplink(goal)).toEqual(['192.168.1.60', 'fd01::50', 'fe80::1'])
    expect(goal.routes.filter(isOfOld)).toEqual([])
  })

  test('but not by one that the kernel made of an advertisement', () => {
    const advertised = address('fd01::99/64', 'br0', { flags: ['mngtmpaddr'], validUntil: at + 900 })
    const now = withoutAddress(withAddresses(advertised), 'fd01::50')
    expect(driftOf(now, left)).toEqual(['missing: address fd01::50/64 dev br0'])
  })

  test('no goal has two primaries of one subnet', () => {
    const now = {
      ...withRoutes(raised, prefixRoute('192.168.1.0/24', 'br0', '192.168.1.60')),
      addresses: [
        address('192.168.1.60/24', 'br0'),
        address('192.168.1.50/24', 'br0', { status: ['secondary'] }),
      ],
    }
    const primaries = (state: NetworkState): readonly string[] =>
      state.addresses.flatMap(({ family, local, status }) =>
        family === 4 && status.length === 0 ? [local] : [],
      )
    expect(primaries(repairGoal(now, left))).toEqual(['192.168.1.60'])
    expect(primaries(lowered(now))).toEqual(['192.168.1.50'])
    expect(lowered(now).routes.filter(({ source }) => source === '192.168.1.60')).toEqual([])
  })

  test('what nothing leads to any more goes with a lease, also where it is still there: routes, next-hop objects, groups', () => {
    const object = (objectId: number, gateway: string): Nexthop => ({
      id: objectId,
      family: 4,
      dev: 'eth0',
      group: [],
      words: ['via', gateway],
      unknown: [],
    })
    const group = (groupId: number, ...ids: readonly number[]): Nexthop => ({
      ...object(groupId, ''),
      dev: undefined,
      words: [],
      group: ids.map((each) => ({ id: each, weight: 1 })),
    })
    const byObject = (dst: string, nhid: number): Route => ({ ...route(dst, 'eth0'), nhid, hops: [] })
    const onlink = { dev: 'eth0', gateway: '10.3.0.1', viaFamily: undefined, weight: undefined, onlink: true }
    const host = {
      ...original,
      addresses: [leased(at), ...original.addresses],
      routes: [
        route('10.11.0.0/16', 'eth0', '10.3.0.1'),
        { ...route('10.12.0.0/16', 'eth0', '10.3.0.1'), hops: [onlink] },
        route('10.13.0.0/16', 'eth0', '192.168.1.1'),
        byObject('10.14.0.0/16', 5),
        byObject('10.15.0.0/16', 6),
        byObject('10.16.0.0/16', 7),
        byObject('10.17.0.0/16', 8),
        ...original.routes,
      ],
      nexthops: [object(5, '10.3.0.1'), object(6, '192.168.1.1'), group(7, 5, 6), group(8, 5)],
    }
    const then: Left = { ...left, raised: raise(host) }
    const now = withoutAddress(then.raised, '10.3.0.5')
    const told = driftOf(now, then).map((line) => /10\.1\d|nexthop id \d( group.*)?/.exec(line)?.[0])
    expect(told).toEqual([
      '10.11',
      '10.14',
      '10.17',
      'nexthop id 7 group 6,1',
      ...['5', '7 group 5,1/6,1', '8 group 5,1'].map((text) => `nexthop id ${text}`),
    ])
    const goal = lowered(now, host, then.raised)
    const routed = goal.routes.flatMap(({ dst }) => (dst.startsWith('10.1') ? [dst.slice(0, 5)] : []))
    expect(routed).toEqual(['10.12', '10.13', '10.15', '10.16'])
    expect(goal.nexthops.map((each) => [each.id, each.group.map((member) => member.id)])).toEqual([
      [6, []],
      [7, [6]],
    ])
  })

  test('what went with the bridge was lost, leases too, but for those that have expired', () => {
    const host = {
      ...original,
      addresses: [leased(at + 100), leased(at, '10.4.0.5/24'), ...original.addresses],
      routes: [
        prefixRoute('10.4.0.0/24', 'eth0', '10.4.0.5'),
        route('10.5.0.0/16', 'eth0', '10.4.0.1'),
        ...original.routes,
      ],
    }
    const goal = lowered(original, host, raise(host))
    expect(onUplink(goal)).toContain('10.3.0.5')
    expect(onUplink(goal)).not.toContain('10.4.0.5')
    expect(goal.routes.filter(({ dst }) => dst.startsWith('10.'))).toEqual([])
  })

  test('an address comes back without moving one that is in use', () => {
    const host = {
      ...original,
      addresses: [
        address('192.168.1.50/24', 'eth0'),
        address('192.168.1.51/24', 'eth0', { status: ['secondary'] }),
      ],
    }
    const then = raise(host)
    const promoted = { ...then, addresses: [address('192.168.1.51/24', 'br0')] }
    const goal = repairGoal(promoted, { ...left, raised: then })
    const found = goal.addresses.map(({ local, status }) => [local, ...status])
    expect(found).toEqual([['192.168.1.51'], ['192.168.1.50', 'secondary']])
    const steps = stepsOf(makePlan(promoted, goal, sides)).map((step) => stepCommand(step, 0))
    expect(steps.filter((line) => line.startsWith('ip addr del'))).toEqual([])
  })
})

describe('the links', () => {
  test.each([
    ['br0', { mtu: 1400 }, 'different: link br0 mtu is 1400, should be 1500'],
    ['br0', { up: false }, 'different: link br0 up is false, should be true'],
    ['br0', { alias: 'mine' }, `different: link br0 alias is mine, should be qemu-tap-hooks ${id}`],
    ['eth0', { master: undefined }, 'different: link eth0 master is none, should be br0'],
    ['eth0', { master: 'br1' }, 'different: link eth0 master is br1, should be br0'],
    ['eth0', { mac: '02:00:00:00:00:09' }, /^different: link eth0 mac is 02:00:00:00:00:09, /],
  ])('%s with %o', (name, traits, told) => {
    const matches: unknown = typeof told === 'string' ? told : expect.stringMatching(told)
    expect(driftOf(changed(name, traits), left)).toEqual([matches])
  })

  test('a MAC that changes takes the permanent neighbours along: they are made again', () => {
    const neighbour = {
      family: 4,
      dst: '192.168.1.7',
      mac: '02:00:00:00:00:07',
      proxy: false,
      router: false,
    } as const
    const then = { ...raised, neighbours: [{ ...neighbour, dev: 'br0' }] }
    const now = withLinks(then, (each) =>
      each.name === 'br0' ? { ...each, mac: '02:00:00:00:00:09' } : each,
    )
    const goal = repairGoal(now, { ...left, raised: then })
    expect(stepsOf(makePlan(now, goal, sides)).map(({ op }) => op)).toEqual(['link.mac', 'neigh.replace'])
  })

  test('without the uplink that is all there is to say; without the bridge, what was on it is not listed', () => {
    const without = (name: string): NetworkState => ({
      ...raised,
      links: raised.links.filter((each) => each.name !== name),
    })
    expect(driftOf(without('eth0'), left)).toEqual(['missing: link eth0'])
    const told = driftOf(original, left)
    expect(told.slice(0, 2)).toEqual([
      'different: link eth0 master is none, should be br0',
      'missing: link br0',
    ])
    expect(told.filter((line) => line.endsWith('br0')).length).toBe(2)
    expect(told.filter((line) => line.startsWith('too much: ')).length).toBeGreaterThan(3)
  })

  test('a bridge of somebody else in the place of ours is told, and nothing of it compared', () => {
    const now = changed('br0', { index: 77, alias: undefined, mtu: 9000 })
    expect(driftOf(now, left)).toEqual(['different: link br0 is not the one that brup made'])
  })

  test('ports that came are told where they are no taps, or taps that nobody holds; they stay', () => {
    const port = (name: string, more: Partial<Link>): Link =>
      link(name, { index: 20, master: 'br0', ...more })
    const now = {
      ...raised,
      links: [
        ...raised.links,
        port('veth9', {}),
        port('tap1', { kind: 'tun', carrier: false }),
        port('tap2', { kind: 'tun' }),
      ],
    }
    const told = ['too much: port veth9, which is no tap', 'stale: port tap1, a tap that nobody holds']
    expect([driftOf(now, left), strayPorts(now, left)]).toEqual([[], told])
    expect(strayPorts(now, { ...left, raised: withIndexes(raised, now, sides) })).toEqual(told)
    const masters = repairGoal(now, left).links.filter(({ index }) => index === 20)
    expect(masters.map(({ master }) => master)).toEqual(['br0', 'br0', 'br0'])
  })
})
