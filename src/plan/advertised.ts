import { addressesOf, type Address, type NetworkState, type Route } from '../state.ts'
import type { Step } from '../step.ts'
import { ownProtocol } from './routes.ts'

/**
 * Routes that a router advertised are the kernel's to make: one of ours in such a slot would stop it
 * (ndisc_router_discovery(): "failed to add default route"). Where one is to be, a stop-gap of ours stands one metric
 * behind, until the kernel's own is there or its time is over.
 */
export const isAdvertised = (route: Route): boolean => route.protocol === 'ra'

export const isStopGap = (route: Route): boolean => route.family === 6 && route.protocol === ownProtocol

export const stopGap = (route: Route): Route =>
  isAdvertised(route) ? { ...route, metric: route.metric + 1, protocol: ownProtocol } : route

const hasAdvertised = (routes: readonly Route[], { dst, hops }: Route): boolean =>
  routes.some((other) => isAdvertised(other) && other.dst === dst && other.hops[0]?.dev === hops[0]?.dev)

/** The wanted routes, with stop-gaps for advertised ones that are not there, and without those that are not needed. */
export const withStopGaps = (wanted: readonly Route[], present: readonly Route[]): readonly Route[] =>
  wanted
    .map((route) => (isAdvertised(route) && !hasAdvertised(present, route) ? stopGap(route) : route))
    .filter((route) => !isUnneeded(route, present))

/** Whether a route is a stop-gap beside the kernel's own. */
export const isUnneeded = (route: Route, present: readonly Route[]): boolean =>
  isStopGap(route) && hasAdvertised(present, route)

/** The stop-gaps of a goal for which the kernel has made its own by now. */
export const unneededStopGaps = (state: NetworkState): readonly Step[] =>
  state.routes.filter((route) => isUnneeded(route, state.routes)).map((route) => ({ op: 'route.del', route }))

/** Whether a state waits for the kernel's own in place of some stop-gap. Where NetworkManager has let go nobody listens to routers. */
export const awaitsAdvertised = (goal: NetworkState, now: NetworkState): boolean =>
  goal.manager?.told === undefined &&
  goal.routes.some((route) => isStopGap(route) && !hasAdvertised(now.routes, route))

/**
 * Makes the link ask the routers: a link-local address that comes as the link's only one does
 * (addrconf_dad_completed()), so it is taken away and put back.
 */
export function solicitSteps(state: NetworkState, goal: NetworkState, dev: string): readonly Step[] {
  const waits = goal.routes.some((route) => isStopGap(route) && route.hops[0]?.dev === dev)
  const linkLocal = addressesOf(state, dev).filter(isLinkLocal)
  const [address] = linkLocal
  if (!waits || address === undefined || linkLocal.length > 1) return []
  return [
    { op: 'addr.del', address },
    { op: 'addr.add', address },
  ]
}

const isLinkLocal = ({ family, scope }: Address): boolean => family === 6 && scope === 'link'
