import { findLink, portsOf, type Link, type NetworkState } from '../state.ts'
import type { Step } from '../step.ts'
import type { Sides } from './footprint.ts'
import { temporaryName } from './marks.ts'

interface LinkShare {
  readonly create: readonly Step[]
  readonly first: readonly Step[]
  readonly last: readonly Step[]
}

/** Everything about the bridge and its other ports; the uplink's own master is the switch, not this. */
export function convergeLinks(from: NetworkState, to: NetworkState, { uplink, bridge }: Sides): LinkShare {
  const before = findLink(from, bridge)
  const after = findLink(to, bridge)
  const ports = convergePorts(from, to, { uplink, bridge })
  const own = convergeUplink(findLink(from, uplink), findLink(to, uplink))
  if (after === undefined)
    return before === undefined
      ? { create: own, first: [], last: [] }
      : { create: own, first: ports.first, last: [{ op: 'link.del', dev: bridge }] }
  if (before === undefined) {
    const made = createBridge(after)
    return { ...made, create: [...own, ...made.create], last: [...ports.last, ...ports.first] }
  }
  const mac: readonly Step[] =
    before.mac === after.mac ? [] : [{ op: 'link.mac', dev: bridge, mac: after.mac }]
  const mtu: readonly Step[] =
    before.mtu === after.mtu ? [] : [{ op: 'link.mtu', dev: bridge, mtu: after.mtu }]
  return {
    create: [...own, ...(before.up ? [] : [...mac, ...mtu])],
    first: [...(before.up ? [...mac, ...mtu] : []), ...upness(before, after), ...ports.first],
    last: [...ports.last, ...alias(before, after)],
  }
}

/** What somebody has changed on it by hand. It is taken down only where it was down before. */
function convergeUplink(before: Link | undefined, after: Link | undefined): readonly Step[] {
  if (before === undefined || after === undefined) return []
  const { name: dev, mac, mtu } = after
  return [
    ...(before.mac === mac ? [] : [{ op: 'link.mac', dev, mac } as const]),
    ...(before.mtu === mtu ? [] : [{ op: 'link.mtu', dev, mtu } as const]),
    ...upness(before, after),
  ]
}

/**
 * Made under a name that nobody else has, then named and marked in one message, which fails if the name is taken:
 * `ip link add … alias` would drop the alias (rtnl_newlink_create() does not read IFLA_IFALIAS).
 */
function createBridge(bridge: Link): Omit<LinkShare, 'last'> {
  const alias = bridge.alias ?? ''
  const made = temporaryName(alias)
  return {
    create: [
      { op: 'bridge.add', name: made, mac: bridge.mac, mtu: bridge.mtu },
      { op: 'link.name', dev: made, name: bridge.name, alias },
      { op: 'link.mtu', dev: bridge.name, mtu: bridge.mtu },
    ],
    first: bridge.up ? [{ op: 'link.up', dev: bridge.name }] : [],
  }
}

/**
 * Going up it makes no link-local address of its own: that is among those that it is given. convergeSysctls() sets the
 * mode that it should have.
 */
const upness = (before: Link, after: Link): readonly Step[] => {
  const { name: dev } = after
  if (before.up === after.up) return []
  return after.up
    ? [
        { op: 'link.addrgenmode', dev, mode: 'none' },
        { op: 'link.up', dev },
      ]
    : [{ op: 'link.down', dev }]
}

const alias = (before: Link, after: Link): readonly Step[] =>
  (before.alias ?? '') === (after.alias ?? '')
    ? []
    : [{ op: 'link.alias', dev: after.name, alias: after.alias ?? '' }]

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
    last: wanted
      .filter((name) => !now.includes(name))
      .map((dev) => ({ op: 'link.master', dev, master: bridge })),
  }
}
