import { addressesOf, findLink, sysctlOf, type Link, type NetworkState, type Route } from '../state.ts'
import { stopGap } from './advertised.ts'
import { isTemporary, moveAddress } from './addresses.ts'
import { devsOf, routeFilter, type Sides } from './footprint.ts'
import { markOf } from './marks.ts'
import { isKernelsOwn, moveHops, routeId } from './routes.ts'

interface RaiseOptions {
  readonly sides: Sides
  /** The id of the run, which the bridge carries in its alias. */
  readonly id: string
}

/** The host on the bridge: all that is on the uplink moves, and a bridge that is not there is made. */
export function raisedGoal(before: NetworkState, { sides, id }: RaiseOptions): NetworkState {
  const { uplink, bridge } = sides
  return {
    links: raisedLinks(before, { sides, id }),
    addresses: before.addresses.map((address) =>
      address.dev === uplink ? moveAddress(withoutStatus(address), bridge) : address,
    ),
    routes: raisedRoutes(before, sides),
    rules: before.rules.map((rule) => ({
      ...rule,
      iif: rule.iif === uplink ? bridge : rule.iif,
      oif: rule.oif === uplink ? bridge : rule.oif,
    })),
    nexthops: before.nexthops.map((item) => (item.dev === uplink ? { ...item, dev: bridge } : item)),
    neighbours: before.neighbours.map((item) => (item.dev === uplink ? { ...item, dev: bridge } : item)),
    sysctls: raisedSysctls(before, sides),
  }
}

function raisedLinks(before: NetworkState, { sides: { uplink, bridge }, id }: RaiseOptions): readonly Link[] {
  const port = findLink(before, uplink)
  if (port === undefined) throw new Error(`no link ${uplink}`)
  const existing = findLink(before, bridge)
  const { mac, mtu } = port
  const made: Link = { ...port, name: bridge, index: 0, kind: 'bridge', lower: undefined, alias: markOf(id) }
  const raised = existing === undefined ? made : { ...existing, mac, mtu, up: true }
  const others = before.links.filter(({ name }) => name !== bridge)
  return [...others.map((link) => (link === port ? { ...link, master: bridge } : link)), raised]
}

/** A temporary address cannot be made by anyone but the kernel: its copy lives out its time as a plain one. */
export function withoutStatus(address: NetworkState['addresses'][number]): NetworkState['addresses'][number] {
  const status = address.status.filter((name) => name === 'secondary')
  if (!isTemporary(address)) return { ...address, status }
  return { ...address, status, flags: [...new Set([...address.flags, 'noprefixroute'])] }
}

function raisedRoutes(before: NetworkState, { uplink, bridge }: Sides): readonly Route[] {
  const moved = before.routes
    .filter((route) => !isKernelsOwn(route))
    .map((route) => movedRoute(route, uplink, bridge))
  return [...new Map(moved.map((route) => [routeId(route), route])).values()]
}

export const movedRoute = (route: Route, from: string, to: string): Route =>
  route.hops.some(({ dev }) => dev === from) ? stopGap(moveHops(route, from, to)) : route

/**
 * The bridge has the uplink's settings. The uplink, as a port, makes no link-local address of its own, which it
 * would at its next loss of carrier.
 */
function raisedSysctls(before: NetworkState, { uplink, bridge }: Sides): NetworkState['sysctls'] {
  const hasLinkLocal = addressesOf(before, uplink).some(
    ({ family, scope }) => family === 6 && scope === 'link',
  )
  const mode = { family: 6, dev: uplink, key: 'addr_gen_mode' } as const
  const others = before.sysctls.filter(({ dev }) => dev !== bridge)
  const quiet = hasLinkLocal && sysctlOf(before, mode) !== undefined
  return [
    ...others.map((item) =>
      quiet && item.family === 6 && item.dev === uplink && item.key === mode.key
        ? { ...item, value: '1' }
        : item,
    ),
    ...others.filter(({ dev }) => dev === uplink).map((item) => ({ ...item, dev: bridge })),
  ]
}

export const touchedRoutes = (state: NetworkState, sides: Sides): readonly Route[] => {
  const isTouched = routeFilter(state, devsOf(sides))
  return state.routes.filter((route) => isTouched(route) && !isKernelsOwn(route))
}
