import { describe, expect, test } from 'vitest'

import { raisedGoal } from '../../../src/plan/goals.ts'
import { loweredGoal } from '../../../src/plan/lowered-goal.ts'
import { makePlan, type Plan } from '../../../src/plan/planner.ts'
import { compareResolved, convergeResolved, resolvedBack, resolvedKept } from '../../../src/plan/resolved.ts'
import { scriptOf, stepCommand } from '../../../src/report/script.ts'
import type { DhcpClient, ResolvedLink } from '../../../src/owner-state.ts'
import type { NetworkState } from '../../../src/state.ts'
import type { Step } from '../../../src/step.ts'
import { address, link, plainHost, prefixRoute } from '../../helpers/state.ts'

const sides = { uplink: 'eth0', bridge: 'br0' }
const id = '0123456789'

type Settings = Readonly<Record<string, string>>

/** With what systemd-resolved was told of each link. */
const told = (
  settings: Readonly<Record<string, Settings>>,
  base: NetworkState = plainHost(),
): NetworkState => ({
  ...base,
  resolved: Object.entries(settings).map(([dev, values]) => ({
    dev,
    settings: Object.fromEntries(Object.entries(values).map(([key, text]) => [key, text.split(' ')])),
  })),
})

const withBridge = (base: NetworkState = plainHost()): NetworkState => ({
  ...base,
  links: [...base.links, link('br0', { index: 9, kind: 'bridge', up: false, carrier: false })],
})

const servers = { dns: '192.0.2.1', llmnr: 'yes', mdns: 'no' }

const settingsOf = (state: NetworkState, dev: string): ResolvedLink['settings'] | undefined =>
  state.resolved?.find((each) => each.dev === dev)?.settings

const commands = (steps: readonly Step[]): readonly string[] => steps.map((step) => stepCommand(step, 0))

const planDown = (original: NetworkState): Plan => {
  const raised = raisedGoal(original, { sides, id })
  return makePlan(raised, loweredGoal(raised, { sides, original, raised, at: 0 }), sides)
}

describe('a bridge that was there before', () => {
  const before = told(
    { eth0: { ...servers, llmnr: 'no' }, br0: { dns: '192.0.2.9', domain: 'own.example', llmnr: 'yes' } },
    withBridge(),
  )
  const raised = raisedGoal(before, { sides, id })

  test('keeps its own servers and domains, behind those that come', () => {
    expect(settingsOf(raised, 'eth0')).toBeUndefined()
    expect(settingsOf(raised, 'br0')).toEqual({
      dns: ['192.0.2.1', '192.0.2.9'],
      domain: ['own.example'],
      llmnr: ['no'],
      mdns: ['no'],
    })
  })

  test('has them alone again', () => {
    const goal = loweredGoal(raised, { sides, original: before, raised, at: 0 })
    expect(goal.resolved).toEqual(before.resolved)
    const { finish } = makePlan(raised, goal, sides)
    expect(commands(finish).filter((line) => line.startsWith('resolvectl'))).toEqual([
      'resolvectl dns br0 192.0.2.9',
      'resolvectl llmnr br0 yes',
      "resolvectl mdns br0 ''",
    ])
  })
})

describe('the way down', () => {
  test('it is held to what it was told of the uplink, and hears of an address at once', () => {
    const { change, finish } = planDown(told({ eth0: servers }))
    expect(commands(change)).toEqual([
      'chmod u-w /run/systemd/resolve/netif || :',
      'ip neigh flush dev eth0 nud incomplete',
      'ip link set dev eth0 nomaster',
      'ip addr change 192.168.1.50/24 dev eth0 scope global label eth0 valid_lft forever preferred_lft forever',
      'ip link del dev br0',
      [
        'chmod u+w /run/systemd/resolve/netif || :',
        'resolvectl dns eth0 192.0.2.1',
        'resolvectl llmnr eth0 yes',
        'resolvectl mdns eth0 no',
      ].join('\n'),
    ])
    expect(commands(finish).filter((line) => line.startsWith('ip addr change'))).toEqual([
      'ip addr change fd01::50/64 dev eth0 valid_lft forever preferred_lft forever',
      'ip addr change fe80::1/64 dev eth0 valid_lft forever preferred_lft forever',
    ])
  })

  test('in a script the lines for ip stay together', () => {
    const lines = scriptOf(planDown(told({ eth0: servers })), 0).split('\n')
    const at = lines.indexOf('# the switch')
    expect(lines.slice(at + 1, at + 9)).toEqual([
      'chmod u-w /run/systemd/resolve/netif || :',
      "ip -batch - <<'END'",
      'neigh flush dev eth0 nud incomplete',
      'link set dev eth0 nomaster',
      'addr change 192.168.1.50/24 dev eth0 scope 0 label eth0 valid_lft forever preferred_lft forever',
      'link del dev br0',
      'END',
      'chmod u+w /run/systemd/resolve/netif || :',
    ])
  })

  test('where it does not run, no address is changed for it', () => {
    expect(planDown(plainHost()).change.map(({ op }) => op)).toEqual([
      'neigh.flush',
      'link.nomaster',
      'link.del',
    ])
  })

  test('an IPv6 address with a prefix route of two is not changed', () => {
    const host = plainHost()
    const only6 = {
      ...told({}, host),
      addresses: [address('fd01::50/64', 'eth0'), address('fd02::50/64', 'eth0')],
      routes: [
        prefixRoute('fd01::/64', 'eth0'),
        { ...prefixRoute('fd01::/64', 'eth0'), metric: 999, protocol: 'static' },
        prefixRoute('fd02::/64', 'eth0'),
      ],
    }
    const { change, finish } = planDown(only6)
    const changed = commands([...change, ...finish]).filter((line) => line.startsWith('ip addr change'))
    expect(changed.map((line) => line.split(' ')[3])).toEqual(['fd02::50/64'])
  })
})

describe('what has changed on the bridge', () => {
  const original = told({ eth0: { ...servers, domain: 'a.example' } })
  const raised = raisedGoal(original, { sides, id })
  const now = (br0: Settings, eth0: Settings = {}): NetworkState =>
    told(Object.keys(eth0).length === 0 ? { br0 } : { br0, eth0 }, raised)

  test('goes along, and what was lost comes back', () => {
    const back = resolvedBack({
      original,
      raised,
      now: now({ dns: '192.0.2.7', llmnr: 'no', nta: 'x.example' }),
      sides,
    })
    expect(back).toEqual([
      {
        dev: 'eth0',
        settings: {
          dns: ['192.0.2.7'],
          llmnr: ['no'],
          mdns: ['no'],
          domain: ['a.example'],
          nta: ['x.example'],
        },
      },
    ])
  })

  test('stays in a repair, with what the bridge has not from what is on the uplink', () => {
    const kept = resolvedKept(
      raised,
      now({ dns: '192.0.2.7', llmnr: 'yes', mdns: 'no' }, { dns: '192.0.2.8', dnssec: 'no' }),
      sides,
    )
    expect(kept).toEqual([
      {
        dev: 'br0',
        settings: {
          dns: ['192.0.2.7'],
          domain: ['a.example'],
          llmnr: ['yes'],
          mdns: ['no'],
          dnssec: ['no'],
        },
      },
    ])
  })

  test('nothing is decided where it does not run now', () => {
    const gone = { ...raised, resolved: undefined }
    expect(resolvedBack({ original, raised, now: gone, sides })).toEqual(original.resolved)
    expect(resolvedKept(raised, gone, sides)).toEqual(raised.resolved)
    expect(convergeResolved(gone, original, sides)).toEqual([])
    expect(compareResolved(gone, raised, sides)).toEqual([])
  })
})

test('a default route that is to be unset takes all else along for a moment', () => {
  const steps = convergeResolved(
    told({ eth0: { ...servers, 'default-route': 'no' } }),
    told({ eth0: servers }),
    sides,
  )
  expect(commands(steps)).toEqual([
    'resolvectl revert eth0',
    'resolvectl dns eth0 192.0.2.1',
    'resolvectl llmnr eth0 yes',
    'resolvectl mdns eth0 no',
  ])
})

describe('a difference', () => {
  const goal = told({ br0: servers }, withBridge())
  const client: DhcpClient = {
    name: 'dhclient',
    families: [4],
    dev: 'br0',
    path: '/sbin/dhclient',
    words: [],
    env: {},
    confined: false,
  }

  test.each([
    [{}, ['missing: DNS settings of br0']],
    [{ eth0: servers, br0: servers }, ['too much: DNS settings of eth0']],
    [{ br0: { ...servers, domain: 'x' } }, ['too much: DNS setting domain x of br0']],
    [{ br0: { dns: '192.0.2.1', mdns: 'no' } }, ['missing: DNS setting llmnr yes of br0']],
    [
      { br0: { ...servers, dns: '192.0.2.7' } },
      ['different: DNS setting dns 192.0.2.7 of br0, should be 192.0.2.1'],
    ],
  ])('%j', (settings, differences) => {
    expect(compareResolved(told(settings, withBridge()), goal, sides)).toEqual(differences)
  })

  test('is not what a DHCP client tells of its link', () => {
    const leased = { ...goal, clients: [client] }
    const actual = told({ br0: { ...servers, dns: '192.0.2.7', domain: 'x' } }, withBridge())
    expect(compareResolved(actual, leased, sides)).toEqual([])
    expect(compareResolved(told({}, withBridge()), leased, sides)).toEqual(['missing: DNS settings of br0'])
    const ended = { ...goal, clients: [{ ...client, ended: true }] }
    expect(compareResolved(actual, ended, sides)).toHaveLength(2)
  })
})
