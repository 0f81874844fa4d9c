import { findLink, type Link, type NetworkState, type Route } from '../state.ts'
import type { Step } from '../step.ts'
import { converge } from './converge.ts'
import { devsOf, type Sides } from './footprint.ts'
import { makePlan, type Plan } from './planner.ts'
import { isOnDev, prefixRoutes, routeId } from './routes.ts'

/**
 * What comes before a plan can be made: a link that somebody took down is up before anything is added to it, and one too small for
 * IPv6 has its size. The kernel adds its share to that, so the network is looked at again afterwards.
 */
export const liftSteps = (now: NetworkState, goal: NetworkState, sides: Sides): readonly Step[] =>
  converge(now, lifted(now, goal, sides), sides)

/** The way as it is expected to be where a lift comes first: for a dry run. */
export function planWithLift(now: NetworkState, goal: NetworkState, sides: Sides): Plan {
  const plan = makePlan(lifted(now, goal, sides), goal, sides)
  return { ...plan, prepare: [...liftSteps(now, goal, sides), ...plan.prepare] }
}

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
