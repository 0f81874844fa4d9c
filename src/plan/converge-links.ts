import { findLink, portsOf, type Link, type NetworkState } from '../state.ts'
import type { Step } from '../step.ts'
import type { Sides } from './footprint.ts'
import { temporaryName } from './marks.ts'
import { rejoinSteps } from './ports.ts'

interface LinkShare {
  readonly create: readonly Step[]
  readonly first: readonly Step[]
  readonly last: readonly Step[]
}

/** Everything about the two links and the bridge's other ports; the uplink's own master is the switch, not this. */
export function convergeLinks(from: NetworkState, to: NetworkState, sides: Sides): LinkShare {
  const own = convergeUplink(findLink(from, sides.uplink), findLink(to, sides.uplink))
  const { create, first, last } = convergeBridge(from, to, sides)
  return {
    create: [...own.create, ...create],
    first: [...own.first, ...first],
    last: [...last, ...own.last],
  }
}

function convergeBridge(from: NetworkState, to: NetworkState, { uplink, bridge }: Sides): LinkShare {
  const before = findLink(from, bridge)
  const after = findLink(to, bridge)
  const ports = convergePorts(from, to, { uplink, bridge })
  if (after === undefined)
    return before === undefined
      ? { create: [], first: [], last: [] }
      : { create: [], first: ports.first, last: [{ op: 'link.del', dev: bridge }] }
  if (before === undefined) return { ...createBridge(after), last: [...ports.last, ...ports.first] }
  const traits = traitSteps(before, after)
  return {
    create: before.up ? [] : traits,
    first: [...(before.up ? traits : []), ...upness(before, after), ...ports.first],
    last: [...ports.last, ...alias(before, after)],
  }
}

/** What somebody has changed on it by hand, or what it lost when it was unplugged. It is never taken down here. */
function convergeUplink(before: Link | undefined, after: Link | undefined): LinkShare {
  if (before === undefined || after === undefined) return { create: [], first: [], last: [] }
  return {
    create: traitSteps(before, after),
    first: after.up ? upness(before, after) : [],
    last: alias(before, after),
  }
}

const traitSteps = (before: Link, { name: dev, mac, mtu, stp }: Link): readonly Step[] => [
  ...(before.mac === mac ? [] : [{ op: 'link.mac', dev, mac } as const]),
  ...(before.mtu === mtu ? [] : [{ op: 'link.mtu', dev, mtu } as const]),
  ...(before.stp === stp ? [] : [{ op: 'bridge.stp', dev, on: stp } as const]),
]

/**
 * Made under a name that nobody else has, then named and marked in one message, which fails if the name is taken:
 * `ip link add … alias` would drop the alias (rtnl_newlink_create() does not read IFLA_IFALIAS).
 */
function createBridge(bridge: Link): Omit<LinkShare, 'last'> {
  const alias = bridge.alias ?? ''
  const made = temporaryName(alias)
  return {
    create: [
      { op: 'bridge.add', name: made, mac: bridge.mac, mtu: bridge.mtu, stp: bridge.stp },
      { op: 'link.name', dev: made, name: bridge.name, alias },
      { op: 'link.mtu', dev: bridge.name, mtu: bridge.mtu },
    ],
    first: bridge.up ? [{ op: 'link.up', dev: bridge.name }] : [],
  }
}

/** convergeSysctls() makes it quiet before it goes up. */
const upness = (before: Link, after: Link): readonly Step[] =>
  before.up === after.up ? [] : [{ op: after.up ? 'link.up' : 'link.down', dev: after.name }]

const alias = (before: Link, after: Link): readonly Step[] =>
  (before.alias ?? '') === (after.alias ?? '')
    ? []
    : [{ op: 'link.alias', dev: after.name, alias: after.alias ?? '' }]

function rejoined(name: string, to: NetworkState, bridge: string): readonly Step[] {
  const [port, master] = [name, bridge].map((link) => findLink(to, link))
  return port === undefined || master === undefined ? [] : rejoinSteps(port, master)
}

/** Taps that must leave go before anything else; those that come back come last. */
function convergePorts(
  from: NetworkState,
  to: NetworkState,
  { uplink, bridge }: Sides,
): Pick<LinkShare, 'first' | 'last'> {
  const names = (state: NetworkState): readonly string[] =>
    portsOf(state, bridge).flatMap(({ name }) => (name === uplink ? [] : [name]))
  const now = names(from)
  const wanted = names(to).filter((name) => findLink(from, name) !== undefined)
  return {
    first: now.filter((name) => !wanted.includes(name)).map((dev) => ({ op: 'link.nomaster', dev })),
    last: wanted.filter((name) => !now.includes(name)).flatMap((name) => rejoined(name, to, bridge)),
  }
}
