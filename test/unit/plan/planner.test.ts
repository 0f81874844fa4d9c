import { describe, expect, test } from 'vitest'
import { loweredGoal } from '../../../src/plan/lowered-goal.ts'
import { ownBridgeGoal, raisedGoal } from '../../../src/plan/goals.ts'
import { makePlan, stepsOf, type Plan } from '../../../src/plan/planner.ts'
import { rebase } from '../../../src/plan/rebase.ts'
import { stepCommand } from '../../../src/report/script.ts'
import type { NetworkState } from '../../../src/state.ts'
import type { Step } from '../../../src/step.ts'
import { address, link, plainHost, prefixRoute, route, rule } from '../../helpers/state.ts'

const sides = { uplink: 'eth0', bridge: 'br0' }
const id = '0123456789'

const text = (steps: readonly Step[]): readonly string[] => steps.map((step) => stepCommand(step, 0))
const planUp = (before: NetworkState): Plan => makePlan(before, raisedGoal(before, { sides, id }), sides)
const planDown = (original: NetworkState): Plan => {
  const raised = raisedGoal(original, { sides, id })
  const goal = rebase(loweredGoal(raised, { sides, original, raised, at: 0 }), raised, sides)
  return makePlan(raised, goal, sides)
}
const up = (before: NetworkState): readonly string[] => text(stepsOf(planUp(before)))
const down = (original: NetworkState): readonly string[] => text(stepsOf(planDown(original)))
const concerning = (lines: readonly string[], words: string): readonly string[] =>
  lines.filter((line) => line.includes(words))

describe('a plain host', () => {
  test('goes up in the order of the golden file', async () => {
    await expect(`${up(plainHost()).join('\n')}\n`).toMatchFileSnapshot('../../fixtures/plan/plain-up.txt')
  })

  test('comes down in the order of the golden file', async () => {
    await expect(`${down(plainHost()).join('\n')}\n`).toMatchFileSnapshot(
      '../../fixtures/plan/plain-down.txt',
    )
  })

  test('nothing on the uplink is touched before the switch', () => {
    const { prepare } = planUp(plainHost())
    expect(concerning(text(prepare), 'eth0')).toEqual([])
  })

  test('nothing but the tidying of settings is left to do after the switch back', () => {
    const { finish } = planDown(plainHost())
    expect(finish.map(({ op }) => op)).toEqual(['sysctl.set', 'link.addrgenmode'])
  })
})

test('a bridge that was there gets its settings before its addresses', () => {
  const before = plainHost()
  const setting = (dev: string, value: string) => ({ family: 6, dev, key: 'forwarding', value }) as const
  const bridge = link('br0', { index: 9, kind: 'bridge', up: false, carrier: false })
  const own = before.sysctls.filter(({ dev }) => dev === 'eth0').map((item) => ({ ...item, dev: 'br0' }))
  const lines = up({
    ...before,
    links: [...before.links, bridge],
    sysctls: [...before.sysctls, ...own, setting('eth0', '1'), setting('br0', '0')],
  })
  const at = (words: string): number => lines.findIndex((line) => line.includes(words))
  expect(at('ipv6/conf/br0/forwarding=1')).toBeGreaterThan(-1)
  expect(at('ipv6/conf/br0/forwarding=1')).toBeLessThan(at('addr add'))
})

describe('a bridge without an uplink', () => {
  const own = { uplink: undefined, bridge: 'br10' }
  const raised = ownBridgeGoal(plainHost(), {
    bridge: 'br10',
    id,
    addresses: [],
    nat: false,
    forwards: [],
    dnsmasq: undefined,
    mtu: undefined,
    stp: false,
  })

  test('lets hooks wait until it is whole', () => {
    const lines = text(stepsOf(makePlan(plainHost(), raised, own)))
    expect(concerning(lines, 'name br10')).toEqual([
      expect.stringContaining(`'qemu-tap-hooks ${id} pending'`),
    ])
    expect(lines.at(-1)).toBe(`ip link set dev br10 alias 'qemu-tap-hooks ${id}'`)
  })

  test('lets hooks wait as soon as it goes', () => {
    const lines = text(stepsOf(makePlan(raised, plainHost(), own)))
    expect(lines).toEqual([
      `ip link set dev br10 alias 'qemu-tap-hooks ${id} pending'`,
      'ip link del dev br10',
    ])
  })
})

describe('routes that share a slot', () => {
  test('another link with the same prefix keeps its place behind the uplink', () => {
    const before = plainHost()
    const twin = prefixRoute('192.168.1.0/24', 'eth1', '192.168.1.60')
    const host = { ...before, links: [...before.links, link('eth1')], routes: [...before.routes, twin] }
    const lines = up(host)
    expect(concerning(lines, 'route del unicast 192.168.1.0/24')).toHaveLength(1)
    expect(concerning(lines, 'dev eth1')).toEqual([])
    const back = down(host)
    expect(concerning(back, '192.168.1.0/24 table main')).toEqual([
      expect.stringMatching(/^ip route del .* dev eth1$/),
      expect.stringMatching(/^ip route append .* dev eth1$/),
    ])
  })

  test.each([
    { name: 'one metric better', metrics: [100], bridge: 99, uplink: 100 },
    { name: 'metric 1 has no better: the uplink makes room', metrics: [1], bridge: 1, uplink: 2 },
  ])('IPv6: $name', ({ metrics, bridge, uplink }) => {
    const before = plainHost()
    const routes = metrics.map((metric) => route('fd77::/64', 'eth0', 'fd01::1', { metric }))
    const { prepare } = planUp({ ...before, routes: [...before.routes, ...routes] })
    const lines = concerning(text(prepare), 'fd77::/64')
    expect(lines.some((line) => line.includes(`metric ${bridge} via fd01::1 dev br0`))).toBe(true)
    expect(lines.some((line) => line.includes('dev eth0'))).toBe(uplink !== metrics[0])
  })

  test('IPv6: with both neighbouring metrics taken by another link, the route waits for the switch', () => {
    const before = plainHost()
    const others = [99, 101].map((metric) => route('fd77::/64', 'eth1', 'fd02::1', { metric }))
    const ours = route('fd77::/64', 'eth0', 'fd01::1', { metric: 100 })
    const plan = planUp({
      ...before,
      links: [...before.links, link('eth1')],
      routes: [...before.routes, ...others, ours],
    })
    expect(concerning(text(plan.prepare), 'fd77::/64')).toEqual([])
    expect(concerning(text(plan.finish), 'fd77::/64')).toEqual([
      expect.stringMatching(/^ip route del .* metric 100 .* dev eth0$/),
      expect.stringMatching(/^ip route add .* metric 100 .* dev br0$/),
    ])
  })
})

describe('what names the uplink', () => {
  const ours = rule(100, { iif: 'eth0' })
  const other = rule(100, { words: ['table', '7'] })

  test('a rule is there for both links until the switch is over', () => {
    const plan = planUp({ ...plainHost(), rules: [other, ours] })
    expect(concerning(text(plan.prepare), 'rule')).toEqual([expect.stringMatching(/^ip rule add iif br0 /)])
    expect(concerning(text(plan.finish), 'rule')).toEqual([expect.stringMatching(/^ip rule del iif eth0 /)])
  })

  test('a rule that stood before another of its priority stands there again: they are made anew in one go', () => {
    expect(concerning(down({ ...plainHost(), rules: [ours, other] }), 'rule')).toEqual([
      'ip rule add iif eth0 table 100 priority 100',
      'ip rule del iif br0 table 100 priority 100',
      'ip rule del table 7 priority 100',
      'ip rule del iif eth0 table 100 priority 100',
      'ip rule add iif eth0 table 100 priority 100',
      'ip rule add table 7 priority 100',
    ])
  })

  test('a deletion that would hit a rule with more selectors waits until that is gone', () => {
    const more = rule(100, { words: ['fwmark', '7', 'table', '100'], iif: 'eth0' })
    const kept = rule(100, { words: ['fwmark', '9', 'table', '100'] })
    const { finish } = planUp({ ...plainHost(), rules: [more, ours, kept] })
    expect(concerning(text(finish), 'rule del').slice(0, 2)).toEqual([
      'ip rule del iif eth0 fwmark 7 table 100 priority 100',
      'ip rule del iif eth0 table 100 priority 100',
    ])
  })

  test('a next-hop object changes its link in place, right after the switch', () => {
    const object = {
      id: 5,
      family: 4,
      dev: 'eth0',
      group: [],
      words: ['via', '192.168.1.1'],
      unknown: [],
    } as const
    const byObject = route('10.5.0.0/16', 'eth0', '192.168.1.1', { nhid: 5 })
    const before = { ...plainHost(), nexthops: [object], routes: [...plainHost().routes, byObject] }
    const plan = planUp(before)
    expect(text(plan.finish)[0]).toBe('ip nexthop replace id 5 via 192.168.1.1 dev br0')
    expect(concerning(text(plan.prepare), '10.5.0.0/16')).toEqual([
      expect.stringMatching(/^ip route prepend .* proto 157 .* via 192.168.1.1 dev br0$/),
    ])
  })
})

describe('addresses', () => {
  test('IPv6 is added last-listed first and deleted first-listed first; IPv4 the other way round', () => {
    const before = {
      ...plainHost(),
      addresses: ['10.0.0.1/24', '10.1.0.1/24', 'fd0a::1/64', 'fd0b::1/64'].map((cidr) =>
        address(cidr, 'eth0'),
      ),
      routes: [],
    }
    const order = (words: string): readonly string[] =>
      concerning(up(before), words).map((line) => line.split(' ')[3] ?? '')
    expect(order('addr add')).toEqual(['10.0.0.1/24', '10.1.0.1/24', 'fd0b::1/64', 'fd0a::1/64'])
    expect(order('addr del')).toEqual(['10.1.0.1/24', '10.0.0.1/24', 'fd0a::1/64', 'fd0b::1/64'])
  })

  test('where all.accept_dad overrules the link, an IPv6 address comes with nodad and loses it at the end', () => {
    const host = plainHost()
    const before = {
      ...host,
      sysctls: host.sysctls.map((item) =>
        item.dev === 'all' && item.key === 'accept_dad' ? { ...item, value: '1' } : item,
      ),
    }
    expect(concerning(up(before), 'fd01::50/64')).toEqual([
      'ip addr add fd01::50/64 dev br0 nodad',
      'ip addr del fd01::50/64 dev eth0',
      'ip addr change fd01::50/64 dev br0 valid_lft forever preferred_lft forever',
    ])
  })
})

test('a plan from a state to itself is empty', () => {
  for (const same of [plainHost(), raisedGoal(plainHost(), { sides, id })])
    expect(stepsOf(makePlan(same, same, sides))).toEqual([])
})
