import type { Hop, NetworkState, Route } from '../state.ts'
import { devsOf, objectsOn, routeFilter, type Move } from './footprint.ts'
import type { Direction, Ends } from './ready.ts'
import {
  holds,
  isKernelsOwn,
  isOnDev,
  isPerLink,
  moveHops,
  ownProtocol,
  prefixRoutes,
  routeId,
  slotOf,
  withoutObject,
} from './routes.ts'

interface ReadyRoutes {
  readonly ends: Ends
  readonly sides: Move
  readonly direction: Direction
  /** The prefix routes that come with the new addresses, wanted or not: gateways may need them until the end. */
  readonly made: readonly Route[]
}

/**
 * The routes of both ends side by side, those of the bridge first. IPv4 orders routes within a slot, so the
 * bridge's stand before the uplink's. IPv6 has one route a slot: the bridge's has a metric one better until the
 * uplink's is gone. Routes by next-hop object stay with the object; the other side has a plain stand-in.
 */
export function readyRoutes({ ends, sides, direction, made }: ReadyRoutes): readonly Route[] {
  const { raised, lowered } = ends
  const onBridge = raised.routes.filter((route) => route.nhid === undefined && isOnDev(route, [sides.bridge]))
  const parts: Parts = {
    lowered: lowered.routes,
    raised: raised.routes,
    isTouched: routeFilter(lowered, devsOf(sides)),
    uplinkStandIns: direction === 'up' ? [] : standIns(lowered, { ...sides, on: sides.uplink }),
    bridgeSide:
      direction === 'up'
        ? [...onBridge, ...standIns(raised, { ...sides, on: sides.bridge })].flatMap(
            (route) => onLink(route, raised, sides) ?? [],
          )
        : onBridge,
    direction,
    asStandIn: (route) => ({ ...(onLink(route, raised, sides) ?? route), protocol: ownProtocol }),
    prefixIds: new Set(raised.addresses.flatMap(prefixRoutes).map(routeId)),
  }
  const kernels = (direction === 'up' ? raised : lowered).routes.filter(isKernelsOwn)
  const routes = [...readyIpv4(ofFamily(parts, 4)), ...readyIpv6(ofFamily(parts, 6)), ...kernels]
  return [...new Map([...routes, ...made].map((route) => [routeId(route), route])).values()]
}

/**
 * The kernel looks for an IPv6 gateway in table main whatever the link's carrier (ip6_nh_lookup_table()). For other
 * tables, and for `via inet6`, it goes by the rules and the routes in use, which may not lead there yet.
 */
const isFarSought = (route: Route, { gateway, viaFamily }: Hop): boolean =>
  gateway !== undefined &&
  !/^fe[89ab]/.test(gateway) &&
  (route.family === 6 ? route.table !== 'main' : viaFamily === 6)

/** A stand-in that says that such gateways are on the link. `undefined` where another link's route disputes that. */
function onLink(route: Route, raised: NetworkState, sides: Move): Route | undefined {
  const isMeant = (hop: Hop): boolean =>
    (hop.dev === sides.uplink || hop.dev === sides.bridge) && isFarSought(route, hop)
  const gateways = route.hops.flatMap((hop) => (isMeant(hop) ? (hop.gateway ?? []) : []))
  if (gateways.length === 0) return route
  const isDisputed = raised.routes.some(
    (other) => !isOnDev(other, devsOf(sides)) && gateways.some((gateway) => covers(other, gateway)),
  )
  if (isDisputed) return undefined
  const hops = route.hops.map((hop) => (isMeant(hop) ? { ...hop, onlink: true } : hop))
  return { ...route, protocol: ownProtocol, hops }
}

/** Whether a route of table main leads to a gateway: where another link's does, the kernel refuses `onlink`. */
const covers = ({ family, table, dst, hops }: Route, gateway: string): boolean =>
  family === 6 && table === 'main' && hops.length > 0 && holds(dst, gateway)

interface Parts {
  /** All routes of each end, with those that have nothing to do with the two links. */
  readonly lowered: readonly Route[]
  readonly raised: readonly Route[]
  readonly isTouched: (route: Route) => boolean
  readonly direction: Direction
  readonly asStandIn: (route: Route) => Route
  readonly uplinkStandIns: readonly Route[]
  /** The routes that leave by the bridge, with stand-ins for those by an object. */
  readonly bridgeSide: readonly Route[]
  /** Ids of the prefix routes of the bridge's addresses: the kernel lets them share a slot with the uplink's. */
  readonly prefixIds: ReadonlySet<string>
}

/** Plain routes by `on` for those by an object, whatever link the object has by then. */
function standIns(state: NetworkState, { uplink, bridge, on }: Move & { on: string }): readonly Route[] {
  const objects = objectsOn(state.nexthops, [uplink, bridge])
  const other = on === uplink ? bridge : uplink
  return state.routes.flatMap((route) =>
    route.nhid !== undefined && objects.has(route.nhid) ? [withoutObject(moveHops(route, other, on))] : [],
  )
}

const ofFamily = (parts: Parts, family: 4 | 6): Parts => {
  const own = (routes: readonly Route[]): readonly Route[] =>
    routes.filter((route) => route.family === family && !isKernelsOwn(route))
  return {
    ...parts,
    lowered: own(parts.lowered),
    raised: own(parts.raised),
    uplinkStandIns: own(parts.uplinkStandIns),
    bridgeSide: own(parts.bridgeSide),
  }
}

/** In each slot the bridge's routes stand right before the uplink's; others of the slot keep their place. */
function readyIpv4(parts: Parts): readonly Route[] {
  const { lowered, raised, isTouched, uplinkStandIns, bridgeSide, direction } = parts
  const asPlain = (route: Route): Route =>
    bridgeSide.find((other) => routeId(other) === routeId(withoutObject(route))) ?? route
  const slots = new Set([...lowered, ...raised].map(slotOf))
  return [...slots].flatMap((slot) => {
    const inSlot = (route: Route): boolean => slotOf(route) === slot
    const bridge = bridgeSide.filter(inSlot)
    const low = lowered.filter(inSlot)
    const first = low.findIndex(isTouched)
    if (first < 0) return bridge.length > 0 ? raised.filter(inSlot).map(asPlain) : low
    // Behind another link's route nobody uses them yet: going up, the uplink's are then not touched.
    if (first > 0 && direction === 'up') return [...low, ...bridge]
    return [...low.slice(0, first), ...bridge, ...low.slice(first), ...uplinkStandIns.filter(inSlot)]
  })
}

function readyIpv6(parts: Parts): readonly Route[] {
  const { lowered, uplinkStandIns, bridgeSide, prefixIds, asStandIn } = parts
  const taken = new Set(lowered.map(slotOf))
  const ready = new Map(lowered.map((route) => [routeId(route), route]))
  const slots: Slots = { taken, ready, betterOf: new Map(), asStandIn }
  for (const route of bestFirst(bridgeSide)) {
    if (isPerLink(route) || prefixIds.has(routeId(route))) ready.set(routeId(route), route)
    if (isPerLink(route)) continue
    if (taken.has(slotOf(route))) placeBeside(route, slots)
    else ready.set(routeId(route), claim(route, taken))
  }
  for (const standIn of uplinkStandIns) {
    const worse = { ...standIn, metric: standIn.metric + 1 }
    if (!taken.has(slotOf(worse))) ready.set(routeId(worse), claim(worse, taken))
  }
  return [...ready.values()]
}

const bestFirst = (routes: readonly Route[]): readonly Route[] =>
  [...routes].sort((a, b) => a.metric - b.metric)

function claim(route: Route, taken: Set<string>): Route {
  taken.add(slotOf(route))
  return route
}

interface Slots {
  readonly taken: Set<string>
  readonly ready: Map<string, Route>
  /** The better slot that the routes of a slot share. */
  readonly betterOf: Map<string, string>
  readonly asStandIn: (route: Route) => Route
}

/**
 * A route of the bridge whose slot the uplink's holds: one metric better, if that is free; else the uplink's go one
 * metric down and make room; else it waits until the uplink's is gone. Never further: nothing else on the host may
 * come in between.
 */
function placeBeside(route: Route, slots: Slots): void {
  const { taken, ready, betterOf, asStandIn } = slots
  const slot = slotOf(route)
  const better = asStandIn({ ...route, metric: route.metric - 1 })
  const sharing = [...ready.values()].filter((other) => slotOf(other) === betterOf.get(slot))
  // Two with a gateway would become one multipath route (rt6_qualify_for_ecmp()): the second waits behind the first.
  if (hasGateway(route) && sharing.some(hasGateway)) return
  const isShared = sharing.length > 0
  if (better.metric > 0 && (isShared || !taken.has(slotOf(better)))) {
    betterOf.set(slot, slotOf(better))
    ready.set(routeId(better), claim(better, taken))
  } else if (makeRoom(slot, slots)) ready.set(routeId(route), route)
}

/** Whether a route on the hop's own link leads to its gateway, as it did when the route was made. */
const isReached = ({ gateway, dev, onlink }: Hop, routes: readonly Route[]): boolean =>
  gateway === undefined ||
  dev === undefined ||
  onlink ||
  /^fe[89ab]/.test(gateway) ||
  routes.some((route) => !hasGateway(route) && isOnDev(route, [dev]) && covers(route, gateway))

const hasGateway = ({ hops }: Route): boolean => hops.some(({ gateway }) => gateway !== undefined)

/** Moves all routes of a slot one metric down; false where one of them cannot go. */
function makeRoom(slot: string, { taken, ready }: Slots): boolean {
  const holders = [...ready.values()].filter((route) => slotOf(route) === slot)
  const worse = holders.map((route) => ({ ...route, metric: route.metric + 1, protocol: ownProtocol }))
  // Rules may lead the look for a gateway in another table astray; it was fine when the route was made.
  const isFixed = (route: Route): boolean =>
    route.nhid !== undefined ||
    route.protocol === 'kernel' ||
    route.table !== 'main' ||
    !route.hops.every((hop) => isReached(hop, [...ready.values()]))
  if (holders.some(isFixed) || worse.some((route) => taken.has(slotOf(route)))) return false
  for (const route of holders) ready.delete(routeId(route))
  for (const route of worse) ready.set(routeId(route), claim(route, taken))
  return true
}
