import { findLink, type Address, type NetworkState, type Route, type Rule } from '../state.ts'
import { withStopGaps } from './advertised.ts'
import { lifetimes } from './arranged.ts'
import { ruleId } from './converge-others.ts'
import { devsOf, isMove, objectsOn, routeFilter, ruleNames, type Sides } from './footprint.ts'
import { sinceSwitched, withForwarding } from './forwarding.ts'
import { routeId, slotOf } from './routes.ts'
import { rebaseRouting } from './routing.ts'
import { withoutLink } from './without-link.ts'

/**
 * A goal for today: what is not ours to touch is taken as it is now, not as it was when the goal was written.
 * Where both stand in one ordered slot, the goal's order holds for what is still there. On an uplink that was taken out
 * of the machine there can be nothing.
 */
export const rebase = (wanted: NetworkState, now: NetworkState, sides: Sides): NetworkState =>
  rebaseOn(now, wanted, { sides, isRollback: false })

/**
 * The same for the state before a change that failed. To order a slot, a change takes the routes of others out of it for a moment:
 * where it died then, they are put back, too.
 */
export const rebaseForRollback = (before: NetworkState, now: NetworkState, sides: Sides): NetworkState =>
  rebaseOn(now, before, { sides, isRollback: true })

function rebaseOn(
  now: NetworkState,
  wanted: NetworkState,
  { sides, isRollback }: { sides: Sides; isRollback: boolean },
): NetworkState {
  const isGone = isMove(sides) && findLink(now, sides.uplink) === undefined
  const goal = isGone ? withoutLink(wanted, sides.uplink) : wanted
  const devs = devsOf(sides)
  const isOurs = (dev: string | undefined): boolean => dev !== undefined && devs.includes(dev)
  const objects = new Set([...objectsOn(goal.nexthops, devs), ...objectsOn(now.nexthops, devs)])
  return {
    links: rebaseLinks(goal, now, sides),
    addresses: [
      ...now.addresses.filter(({ dev }) => !isOurs(dev)),
      ...goal.addresses.filter(({ dev }) => isOurs(dev)).map(isRollback ? atLeastAsLong(now, sides) : same),
    ],
    routes: rebaseRoutes(goal, now, { devs, isRollback }),
    rules: rebaseRules(goal, now, devs),
    nexthops: [
      ...now.nexthops.filter(({ id }) => !objects.has(id)),
      ...goal.nexthops.filter(({ id }) => objects.has(id)),
    ],
    neighbours: [
      ...now.neighbours.filter(({ dev }) => !isOurs(dev)),
      ...goal.neighbours.filter(({ dev }) => isOurs(dev)),
    ],
    sysctls: [
      ...now.sysctls.filter(({ dev }) => !isOurs(dev)),
      ...withForwarding(
        sinceSwitched(
          goal.sysctls.filter(({ dev }) => isOurs(dev)),
          { then: goal, now },
        ),
        goal.routing?.forwarding ?? [],
      ),
    ],
    routing: rebaseRouting(goal.routing, now.routing, sides),
    dnsmasq: goal.dnsmasq,
    firewall: goal.firewall,
    clients: goal.clients?.filter(({ dev }) => findLink(goal, dev) !== undefined),
    manager: goal.manager,
    networkd: goal.networkd,
    resolvconf: goal.resolvconf,
    resolved: goal.resolved?.filter(({ dev }) => findLink(goal, dev) !== undefined),
  }
}

const same = (address: Address): Address => address

/** A trial may last longer than a lease that was renewed meanwhile. */
function atLeastAsLong(now: NetworkState, sides: Sides): (address: Address) => Address {
  const asNow = lifetimes(now, sides)
  return (address) => {
    const renewed = asNow(address)
    const isLonger = (renewed.validUntil ?? Infinity) > (address.validUntil ?? Infinity)
    return isLonger ? renewed : address
  }
}

/** Links come and go, and the uplink is never taken down; of those still there the goal decides who is a port of the bridge. */
function rebaseLinks(
  goal: NetworkState,
  now: NetworkState,
  { uplink, bridge }: Sides,
): NetworkState['links'] {
  const wanted = new Map(goal.links.map((link) => [link.name, link]))
  const others = now.links.flatMap((link) => {
    if (link.name === bridge) return []
    const target = wanted.get(link.name)
    if (link.name === uplink) return [target === undefined ? link : { ...target, up: target.up || link.up }]
    const belongs = target?.master === bridge || link.master === bridge
    // Taken off and down: by its guest's end (qemu-ifdown), not by what is taken back.
    const hasLeft = target?.up === true && !link.up && link.master === undefined
    if (!belongs || hasLeft) return [link]
    // One that joins again is treated as before.
    const port = link.master === target?.master ? link.port : target?.port
    return [{ ...link, master: target?.master, port }]
  })
  const target = wanted.get(bridge)
  return target === undefined ? others : [...others, target]
}

function rebaseRoutes(
  goal: NetworkState,
  now: NetworkState,
  { devs, isRollback }: { devs: readonly string[]; isRollback: boolean },
): readonly Route[] {
  const isOursThen = routeFilter(goal, devs)
  const isOursNow = routeFilter(now, devs)
  const rest = now.routes.filter((route) => !isOursNow(route))
  const present = new Set(rest.map(routeId))
  const touched = new Set(goal.routes.filter(isOursThen).map(slotOf))
  const kept = withStopGaps(goal.routes, now.routes).filter(
    (route) =>
      touched.has(slotOf(route)) &&
      (isOursThen(route) || present.has(routeId(route)) || (isRollback && canStand(route, now))),
  )
  const done = new Set(kept.map(routeId))
  return [...kept, ...rest.filter((route) => !done.has(routeId(route)))]
}

/** Its links are up, and its source is there. */
const canStand = ({ family, hops, source, nhid }: Route, now: NetworkState): boolean =>
  family === 4 &&
  nhid === undefined &&
  hops.every(({ dev }) => dev === undefined || findLink(now, dev)?.up === true) &&
  (source === undefined || now.addresses.some(({ local }) => local === source))

function rebaseRules(goal: NetworkState, now: NetworkState, devs: readonly string[]): readonly Rule[] {
  const rest = now.rules.filter((rule) => !ruleNames(rule, devs))
  const present = new Set(rest.map(ruleId))
  const kept = goal.rules.filter((rule) => ruleNames(rule, devs) || present.has(ruleId(rule)))
  const done = new Set(kept.map(ruleId))
  const all = [...kept, ...rest.filter((rule) => !done.has(ruleId(rule)))]
  return all.sort((a, b) => a.family - b.family || a.priority - b.priority)
}
