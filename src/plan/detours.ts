import { findLink, type Link, type NetworkState, type Route } from '../state.ts'
import type { Step } from '../step.ts'
import { converge } from './converge.ts'
import { driftOf, repairGoal, type Left } from './drift.ts'
import { devsOf, type Sides } from './footprint.ts'
import { makePlan, stepsOf, type Plan } from './planner.ts'
import { isOnDev, prefixRoutes, routeId } from './routes.ts'

/**
 * What has to be done before a plan can be made of a network that somebody changed: the kernel adds its share to it, so
 * that the network is looked at again afterwards.
 */
export interface Detour {
  readonly steps: (now: NetworkState) => readonly Step[]
  /** The network that is expected then. */
  readonly after: (now: NetworkState) => NetworkState
}

/** The whole way as it is expected to be: for a dry run, and to be reported. */
export function planVia(
  from: NetworkState,
  { goal, sides, detours }: { goal: NetworkState; sides: Sides; detours: readonly Detour[] },
): Plan {
  const steps: Step[] = []
  let now = from
  for (const detour of detours) {
    const own = detour.steps(now)
    if (own.length === 0) continue
    steps.push(...own)
    now = detour.after(now)
  }
  const plan = makePlan(now, goal, sides)
  return { ...plan, prepare: [...steps, ...plan.prepare] }
}

/** A link that somebody took down is up before anything is added to it, and one too small for IPv6 has its size. */
export const lift = (goal: NetworkState, sides: Sides): Detour => ({
  steps: (now) => converge(now, lifted(now, goal, sides), sides),
  after: (now) => lifted(now, goal, sides),
})

function lifted(now: NetworkState, goal: NetworkState, sides: Sides): NetworkState {
  const links = now.links.map((link) => {
    const target = devsOf(sides).includes(link.name) ? findLink(goal, link.name) : undefined
    return target === undefined ? link : liftedLink(link, target)
  })
  const rising = now.links.filter(({ up, name }) => !up && findLink({ links }, name)?.up === true)
  const coming = comingRoutes(
    now,
    rising.map(({ name }) => name),
  )
  return { ...now, links, routes: [...now.routes, ...coming] }
}

/** IPV6_MIN_MTU: below it the kernel takes IPv6 from a link, and above it makes it anew, link-local address and all. */
const smallestIpv6Mtu = 1280

function liftedLink(link: Link, { up, mtu }: Link): Link {
  const grows = link.mtu < smallestIpv6Mtu && mtu >= smallestIpv6Mtu
  return { ...link, up: link.up || up, mtu: grows ? mtu : link.mtu }
}

/** IPv4 addresses outlive their link's being down, and get their prefix routes again (fib_netdev_event()). */
function comingRoutes(now: NetworkState, names: readonly string[]): readonly Route[] {
  const present = new Set(now.routes.map(routeId))
  const addresses = now.addresses.filter(({ family, dev }) => family === 4 && names.includes(dev))
  return addresses
    .flatMap(prefixRoutes)
    .filter((route) => isOnDev(route, names) && !present.has(routeId(route)))
}

/** The way down begins on a bridge as brup left it: only there the two sides can be filled alike. */
const mend = (left: Left): Detour => ({
  steps: (now) => (needsMending(now, left) ? stepsOf(makePlan(now, repairGoal(now, left), left.sides)) : []),
  after: (now) => repairGoal(now, left),
})

const needsMending = (now: NetworkState, left: Left): boolean =>
  isPort(now, left.sides) && driftOf(now, left).length > 0

const isPort = (state: NetworkState, { uplink, bridge }: Sides): boolean =>
  findLink(state, uplink)?.master === bridge

/** What the way down begins with: on the bridge as brup left it, or, where the uplink is no port any more, with the uplink. */
export const detoursDown = (now: NetworkState, goal: NetworkState, left: Left): readonly Detour[] =>
  isPort(now, left.sides) ? [lift(repairGoal(now, left), left.sides), mend(left)] : [lift(goal, left.sides)]
