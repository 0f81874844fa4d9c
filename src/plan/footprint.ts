import type { NetworkState, Nexthop, Route, Rule } from '../state.ts'
import { isOnDev } from './routes.ts'

/** The links that a plan is about. */
export interface Sides {
  /** `undefined` where the bridge is a network of its own, and nothing moves. */
  readonly uplink: string | undefined
  readonly bridge: string
  /** While the bridge has its first name only: the one that it was to get, and by which its chains go. */
  readonly finalName?: string
}

/** By which the bridge's chains, files and processes go. */
export const nameOf = ({ bridge, finalName }: Sides): string => finalName ?? bridge

/** The two links between which the host moves. */
export interface Move extends Sides {
  readonly uplink: string
}

export const isMove = (sides: Sides): sides is Move => sides.uplink !== undefined

/** What a plan may touch is on one of the two links or names one; nothing else of the host is ours. */
export const devsOf = ({ uplink, bridge }: Sides): readonly string[] =>
  uplink === undefined ? [bridge] : [uplink, bridge]

export const isOnUplink = (route: Route, { uplink }: Sides): boolean =>
  uplink !== undefined && isOnDev(route, [uplink])

export const ruleNames = (rule: Rule, devs: readonly string[]): boolean =>
  (rule.iif !== undefined && devs.includes(rule.iif)) || (rule.oif !== undefined && devs.includes(rule.oif))

/** Ids of the next-hop objects that leave by one of the links, and of the groups with such a member. */
export function objectsOn(nexthops: readonly Nexthop[], devs: readonly string[]): ReadonlySet<number> {
  const ids = new Set(
    nexthops.filter(({ dev }) => dev !== undefined && devs.includes(dev)).map(({ id }) => id),
  )
  for (const { id, group } of nexthops) if (group.some((member) => ids.has(member.id))) ids.add(id)
  return ids
}

/** Whether a route leaves by one of the links, by itself or by a next-hop object. */
const isTouched = (route: Route, devs: readonly string[], objects: ReadonlySet<number>): boolean =>
  route.nhid === undefined ? isOnDev(route, devs) : objects.has(route.nhid)

export const routeFilter = (state: NetworkState, devs: readonly string[]): ((route: Route) => boolean) => {
  const objects = objectsOn(state.nexthops, devs)
  return (route) => isTouched(route, devs, objects)
}
