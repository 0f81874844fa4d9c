import { findLink, type Address, type NetworkState, type Route } from '../state.ts'
import type { Step } from '../step.ts'
import type { AddressShare } from './converge-addresses.ts'
import type { Share } from './converge.ts'
import { devsOf, routeFilter, type Sides } from './footprint.ts'
import { isKernelsOwn, isOnDev, prefixRoutes, routeId, slotOf } from './routes.ts'

interface RouteOptions {
  readonly sides: Sides
  readonly addresses: Pick<AddressShare, 'added' | 'removed'>
}

/** What one family needs: the steps for each slot that gets routes, and the routes that leave. */
interface FamilyShare {
  readonly additions: readonly Addition[]
  readonly removed: readonly Route[]
}

interface Addition {
  /** Tells what the steps depend on. */
  readonly route: Route
  readonly steps: readonly Step[]
}

/** `byObject` needs next-hop objects, which may need what is `first`. */
interface RouteShare extends Share {
  readonly byObject: readonly Step[]
}

const isByObject = ({ steps }: Addition): boolean =>
  steps.some((step) => step.op.startsWith('route.') && 'route' in step && step.route.nhid !== undefined)

/** Routes of both sides, and the order of those that share a slot with them. */
export function convergeRoutes(
  from: NetworkState,
  to: NetworkState,
  { sides, addresses }: RouteOptions,
): RouteShare {
  const devs = devsOf(sides)
  const isOurs = [routeFilter(from, devs), routeFilter(to, devs)]
  const present = afterAddresses(from, to, addresses)
  const all = [...present, ...to.routes].filter((route) => !isKernelsOwn(route))
  const slots = new Set(all.filter((route) => isOurs.some((is) => is(route))).map(slotOf))
  const now = present.filter((route) => slots.has(slotOf(route)))
  const goal = to.routes.filter((route) => !isKernelsOwn(route) && slots.has(slotOf(route)))
  const shares = [
    convergeIpv4(ofFamily(now, 4), ofFamily(goal, 4), new Set(from.routes.map(slotOf))),
    convergeIpv6(ofFamily(now, 6), ofFamily(goal, 6)),
  ]
  const additions = directFirst(
    shares.flatMap((share) => share.additions),
    ({ route }) => route,
  )
  const removed = shares.flatMap((share) => share.removed)
  const stepsOf = (items: readonly Addition[]): readonly Step[] => items.flatMap(({ steps }) => steps)
  return {
    first: [
      ...stepsOf(additions.filter((item) => !isByObject(item))),
      ...reorderKernels(to, addresses.added),
    ],
    byObject: stepsOf(additions.filter(isByObject)),
    last: deletions(removed),
  }
}

/**
 * What others need goes last. Within a slot the first-listed goes first: a deletion matches a route loosely
 * (fib_nh_match() looks at no more hops than the route has), and would hit the first of several.
 */
function deletions(routes: readonly Route[]): readonly Step[] {
  const slots = [...bySlot(routes).values()]
  const isNeeded = (slot: readonly Route[]): boolean => !slot.some(hasGateway)
  const ordered = [...slots.filter((slot) => !isNeeded(slot)), ...slots.filter(isNeeded)]
  return ordered.flat().map((route) => ({ op: 'route.del', route }))
}

/**
 * The kernel's own IPv4 routes of a new address, its broadcast address's for one, come in the order of adding. Where
 * several share a slot, all but the goal's first are taken out and put back behind it.
 */
function reorderKernels(to: NetworkState, added: readonly Address[]): readonly Step[] {
  const devs = added.filter(({ family }) => family === 4).map(({ dev }) => dev)
  const slots = bySlot(to.routes.filter((route) => route.family === 4 && isKernelsOwn(route)))
  const displaced = [...slots.values()].flatMap((routes) =>
    routes.some((route) => isOnDev(route, devs)) ? routes.slice(1) : [],
  )
  return displaced.flatMap((route): readonly Step[] => [
    { op: 'route.del', route },
    { op: 'route.append', route },
  ])
}

const ofFamily = (routes: readonly Route[], family: 4 | 6): readonly Route[] =>
  routes.filter((route) => route.family === family)

/**
 * The routes as they are once the addresses are added and when those that go are gone: a prefix route comes with
 * its address (or with its link, when that goes up), behind all others of its slot, and an IPv4 one goes with it. Whether an IPv6 one does depends on
 * lifetimes and on other addresses (check_cleanup_prefix_route()), so it is deleted like any other.
 */
function afterAddresses(
  from: NetworkState,
  to: NetworkState,
  { added, removed }: RouteOptions['addresses'],
): readonly Route[] {
  const kept = new Set(prefixRoutesOf(to.addresses).map(routeId))
  const vanishing = new Set(
    prefixRoutesOf(removed)
      .filter(({ family }) => family === 4)
      .map(routeId)
      .filter((id) => !kept.has(id)),
  )
  const routes = from.routes.filter((route) => !isKernelsOwn(route) && !vanishing.has(routeId(route)))
  const present = new Set(routes.map(routeId))
  const isUp = (state: NetworkState, dev: string): boolean => findLink(state, dev)?.up === true
  const rising = from.addresses.filter(({ dev }) => !isUp(from, dev) && isUp(to, dev))
  const coming = new Map(prefixRoutesOf([...rising, ...added]).map((route) => [routeId(route), route]))
  return [...routes, ...[...coming].flatMap(([id, route]) => (present.has(id) ? [] : [route]))]
}

const prefixRoutesOf = (addresses: readonly Address[]): readonly Route[] => addresses.flatMap(prefixRoutes)

const hasGateway = (route: Route): boolean => route.hops.some((hop) => hop.gateway !== undefined)

/**
 * A gateway must be reachable when a route by it is added, an IPv6 one of an IPv4 route (`via inet6`) too: routes
 * without one come first, and go last.
 */
const directFirst = <T>(items: readonly T[], routeOf: (item: T) => Route): readonly T[] => [
  ...items.filter((item) => !hasGateway(routeOf(item))),
  ...items.filter((item) => hasGateway(routeOf(item))),
]

function bySlot(routes: readonly Route[]): ReadonlyMap<string, readonly Route[]> {
  const slots = new Map<string, Route[]>()
  for (const route of routes) {
    const slot = slots.get(slotOf(route))
    if (slot === undefined) slots.set(slotOf(route), [route])
    else slot.push(route)
  }
  return slots
}

/**
 * IPv4 keeps an order within a slot, and lets a route in at its head (`prepend`) or its end (`append`). A slot is also
 * `occupied` by what goes later, with its address.
 */
function convergeIpv4(
  now: readonly Route[],
  goal: readonly Route[],
  occupied: ReadonlySet<string>,
): FamilyShare {
  const present = bySlot(now)
  const wanted = bySlot(goal)
  const slots = [...new Set([...present.keys(), ...wanted.keys()])].map((slot) =>
    orderSlot(present.get(slot) ?? [], wanted.get(slot) ?? [], occupied.has(slot)),
  )
  return {
    additions: slots.flatMap(({ additions }) => additions),
    removed: slots.flatMap(({ removed }) => removed),
  }
}

/** Keeps the longest run of the goal that is already in order, and builds the rest around it. */
function orderSlot(now: readonly Route[], goal: readonly Route[], isOccupied: boolean): FamilyShare {
  const ids = now.map(routeId)
  const wanted = goal.map(routeId)
  const [start, end] = longestRunInOrder(wanted, ids)
  const steps: Step[] = []
  const put = (op: 'route.prepend' | 'route.append', route: Route): void => {
    if (ids.includes(routeId(route))) steps.push({ op: 'route.del', route })
    const isFirst = !isOccupied && now.length === 0 && steps.length === 0
    steps.push({ op: isFirst ? 'route.add' : op, route })
  }
  for (const route of [...goal.slice(0, start)].reverse()) put('route.prepend', route)
  for (const route of goal.slice(end)) put('route.append', route)
  const removed = now.filter((_, index) => !wanted.includes(ids[index] ?? ''))
  const route = goal.find(hasGateway) ?? goal[0]
  return { additions: route === undefined || steps.length === 0 ? [] : [{ route, steps }], removed }
}

/**
 * The longest `[start, end)` of `wanted` whose members stand in `present` in that order; of several, the one with
 * the route that wins now, so that it is not touched.
 */
function longestRunInOrder(wanted: readonly string[], present: readonly string[]): readonly [number, number] {
  const runs = wanted.map((_, start): readonly [number, number] => {
    let end = start
    for (let at = present.indexOf(wanted[start] ?? ''); at >= 0;) {
      end += 1
      const next = end < wanted.length ? present.indexOf(wanted[end] ?? '') : -1
      at = next > at ? next : -1
    }
    return [start, end]
  })
  const rank = ([start]: readonly [number, number]): number => present.indexOf(wanted[start] ?? '')
  const [best] = runs.sort((a, b) => b[1] - b[0] - (a[1] - a[0]) || rank(a) - rank(b))
  return best ?? [0, 0]
}

/** IPv6 refuses a second route in a slot: where one has to make room, it goes right before the other comes. */
function convergeIpv6(now: readonly Route[], goal: readonly Route[]): FamilyShare {
  const present = new Set(now.map(routeId))
  const wanted = new Set(goal.map(routeId))
  const leaving = now.filter((route) => !wanted.has(routeId(route)))
  const coming = goal.filter((route) => !present.has(routeId(route)))
  const occupied = new Set(now.map(slotOf))
  const cleared = new Set<string>()
  const additionOf = (route: Route): Addition => {
    const inTheWay = leaving.filter(
      (other) => slotOf(other) === slotOf(route) && !cleared.has(routeId(other)),
    )
    for (const other of inTheWay) cleared.add(routeId(other))
    const shared = goal.filter((other) => slotOf(other) === slotOf(route)).length > 1
    return {
      route,
      steps: [
        ...inTheWay.map((other): Step => ({ op: 'route.del', route: other })),
        { op: shared ? 'route.append' : 'route.add', route },
      ],
    }
  }
  const free = coming.filter((route) => !occupied.has(slotOf(route)))
  const contested = coming.filter((route) => occupied.has(slotOf(route)))
  return {
    additions: [...free, ...contested].map(additionOf),
    removed: leaving.filter((route) => !cleared.has(routeId(route))),
  }
}
