import { findLink, type NetworkState, type Route } from '../state.ts'
import type { Step } from '../step.ts'
import { solicitSteps } from './advertised.ts'
import { converge } from './converge.ts'
import { convergeNetworkd } from './converge-networkd.ts'
import { convergeRules } from './converge-others.ts'
import { devsOf, isMove, type Move, type Sides } from './footprint.ts'
import { pendingMark } from './marks.ts'
import { withoutBridgeUnit } from './networkd.ts'
import { isKernelsOwn, isOnDev, routeId } from './routes.ts'
import { resolvedAtSwitch } from './resolved-switch.ts'
import { filledState, readyState } from './ready.ts'
import { nexthopsWithout } from './without-link.ts'

/** The steps from one state to another, in three parts with a look at the network between them. */
export interface Plan {
  /** Up to the switch: nothing that the host uses changes. Without a switch, everything. */
  readonly prepare: readonly Step[]
  /** The uplink becomes, or ceases to be, a port of the bridge. Empty where it stays what it is. */
  readonly change: readonly Step[]
  /** What is left over on the other side goes, and stand-ins give way to what they stood in for. */
  readonly finish: readonly Step[]
  /** What should be so between `change` and `finish`; `undefined` where there is no switch. */
  readonly switched: NetworkState | undefined
}

export const stepsOf = (plan: Plan): readonly Step[] => [...plan.prepare, ...plan.change, ...plan.finish]

/**
 * The one planner: brup, brdown, rollback and recovery are this function with different goals. It touches only
 * what is on one of the two links or names one.
 */
export function makePlan(from: NetworkState, to: NetworkState, sides: Sides): Plan {
  const isPort = (state: NetworkState): boolean => findLink(state, sides.uplink)?.master === sides.bridge
  if (!isMove(sides)) return ownBridgePlan(from, to, sides)
  if (isPort(from) === isPort(to)) return withoutSwitch(sameMaster(from, to, sides))
  const direction = isPort(to) ? 'up' : 'down'
  const cleared = withoutBridgeUnit(
    withoutRulesOf(from, [direction === 'up' ? sides.bridge : sides.uplink]),
    sides,
  )
  const ends =
    direction === 'up'
      ? { raised: to, lowered: withoutKept(cleared, to, sides) }
      : { raised: cleared, lowered: to }
  const ready = readyState(cleared, { ends, sides, direction })
  const change = direction === 'up' ? joinSteps(sides) : leaveSteps(ready, to, sides)
  const switched = direction === 'up' ? joined(ready, sides) : left(ready, to, sides)
  return {
    prepare: [
      ...rulesOut(from, cleared, sides),
      ...convergeNetworkd(from, cleared, sides),
      ...converge(cleared, ready, sides),
    ],
    change,
    finish: [
      ...(direction === 'up' ? [] : resolvedAtSwitch(ready, sides).later),
      ...solicitSteps(switched, to, isPort(to) ? sides.bridge : sides.uplink),
      ...converge(switched, to, sides),
    ],
    switched,
  }
}

/** A bridge that comes or goes is marked, so that hooks wait; the last step of one that comes takes the mark off. */
function ownBridgePlan(from: NetworkState, to: NetworkState, sides: Sides): Plan {
  const [was, is] = [from, to].map((state) => findLink(state, sides.bridge) !== undefined)
  if (was === is) return withoutSwitch(inPlace(from, to, sides))
  const marked = withPendingMark(was === true ? from : to, sides)
  if (was === true) return withoutSwitch([...converge(from, marked, sides), ...inPlace(marked, to, sides)])
  return { ...withoutSwitch(inPlace(from, marked, sides)), finish: converge(marked, to, sides) }
}

const withPendingMark = (state: NetworkState, { bridge }: Sides): NetworkState => ({
  ...state,
  links: state.links.map((link) =>
    link.name === bridge ? { ...link, alias: pendingMark(link.alias) } : link,
  ),
})

const withoutSwitch = (prepare: readonly Step[]): Plan => ({
  prepare,
  change: [],
  finish: [],
  switched: undefined,
})

function inPlace(from: NetworkState, to: NetworkState, sides: Sides): readonly Step[] {
  const filled = filledState(from, to, sides)
  return [...convergeInPlace(from, filled, sides), ...converge(filled, to, sides)]
}

/** Somebody may have made the uplink a port of another bridge: it leaves that first, or (a rollback) joins it again. */
function sameMaster(from: NetworkState, to: NetworkState, sides: Move): readonly Step[] {
  const { uplink } = sides
  const [is, be] = [from, to].map((state) => findLink(state, uplink)?.master)
  const steps = inPlace(from, to, sides)
  if (is === be || findLink(from, uplink) === undefined) return steps
  if (be === undefined) return [{ op: 'link.nomaster', dev: uplink }, ...steps]
  return [...steps, { op: 'link.master', dev: uplink, master: be }]
}

/**
 * A rule with `oif` decides where a gateway is looked up (fib_check_nh(), ip6_route_check_nh()): one on a side that
 * gets routes could keep them from it. It comes back when they are there.
 */
const withoutRulesOf = (state: NetworkState, devs: readonly string[]): NetworkState => ({
  ...state,
  rules: state.rules.filter(({ oif }) => oif === undefined || !devs.includes(oif)),
})

function rulesOut(from: NetworkState, cleared: NetworkState, sides: Sides): readonly Step[] {
  const { first, last } = convergeRules(from, cleared, sides)
  return [...first, ...last]
}

function convergeInPlace(from: NetworkState, to: NetworkState, sides: Sides): readonly Step[] {
  const steps = converge(from, to, sides)
  const cleared = withoutRulesOf(
    from,
    devsOf(sides).filter((dev) => steps.some((step) => bringsGateway(step, dev))),
  )
  return [...rulesOut(from, cleared, sides), ...converge(cleared, to, sides)]
}

const bringsGateway = (step: Step, dev: string): boolean =>
  'route' in step &&
  step.op !== 'route.del' &&
  step.route.hops.some((hop) => hop.dev === dev && hop.gateway !== undefined)

/** Going up, what the bridge has already and keeps is no route of the uplink's end. */
function withoutKept(from: NetworkState, to: NetworkState, { bridge }: Sides): NetworkState {
  const wanted = new Set(to.routes.map(routeId))
  const isKept = (route: Route): boolean => isOnDev(route, [bridge]) && wanted.has(routeId(route))
  return { ...from, routes: from.routes.filter((route) => isKernelsOwn(route) || !isKept(route)) }
}

/** The switch: the bridge gets carrier, and its routes win. */
const joinSteps = ({ uplink, bridge }: Move): readonly Step[] => [
  { op: 'link.master', dev: uplink, master: bridge },
]

/**
 * The way back. The lines stand next to each other in one batch: between the first and the last the host may be
 * silent for up to a second, since the kernel reports a bridge's loss of carrier late (net/core/link_watch.c).
 */
function leaveSteps(ready: NetworkState, to: NetworkState, sides: Move): readonly Step[] {
  const { uplink, bridge } = sides
  const stays = findLink(to, bridge) !== undefined
  const resolved = resolvedAtSwitch(ready, sides)
  return [
    ...resolved.before,
    // Whoever is bound to a port has asked there for its gateway, and in vain: the kernel would ask again only after a second.
    { op: 'neigh.flush', dev: uplink },
    { op: 'link.nomaster', dev: uplink },
    ...resolved.among,
    ...ready.routes
      .filter((route) => outlives(route, bridge, stays))
      .map((route): Step => ({ op: 'route.del', route })),
    { op: stays ? 'link.down' : 'link.del', dev: bridge },
    ...resolved.after,
  ]
}

/**
 * A route with several legs stays when one of its links goes, an IPv6 one in any case, an IPv4 one when the link only goes
 * down (fib_sync_down_dev()); then a local one stays, too: its scope is the host.
 */
function outlives(route: Route, dev: string, isKept: boolean): boolean {
  if (route.nhid !== undefined || isKernelsOwn(route) || !isOnDev(route, [dev])) return false
  const isSeveral = route.hops.length > 1
  return route.family === 6 ? isSeveral : isKept && (isSeveral || route.scope === 'host')
}

const withMaster = (state: NetworkState, uplink: string, master: string | undefined): NetworkState => ({
  ...state,
  links: state.links.map((link) => (link.name === uplink ? { ...link, master } : link)),
})

const joined = (ready: NetworkState, { uplink, bridge }: Move): NetworkState =>
  withMaster(ready, uplink, bridge)

/** What the kernel leaves when a bridge is deleted, or (an adopted one) taken down. */
function left(ready: NetworkState, to: NetworkState, { uplink, bridge }: Move): NetworkState {
  const stays = findLink(to, bridge) !== undefined
  const state = withMaster(ready, uplink, undefined)
  const nexthops = nexthopsWithout(state.nexthops, bridge)
  const ids = new Set(nexthops.map(({ id }) => id))
  return {
    ...state,
    links: stays
      ? state.links.map((link) => (link.name === bridge ? { ...link, up: false } : link))
      : state.links.filter(({ name }) => name !== bridge),
    addresses: state.addresses.filter(({ dev, family }) => dev !== bridge || (stays && family === 4)),
    routes: state.routes.filter((route) =>
      route.nhid === undefined ? !isOnDev(route, [bridge]) : ids.has(route.nhid),
    ),
    neighbours: state.neighbours.filter(({ dev }) => dev !== bridge),
    nexthops,
    resolved: stays ? state.resolved : state.resolved?.filter(({ dev }) => dev !== bridge),
    sysctls: stays ? state.sysctls : state.sysctls.filter(({ dev }) => dev !== bridge),
  }
}
