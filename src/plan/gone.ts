import { contains, parseIp } from '../names.ts'
import { findLink, type Address, type NetworkState, type Neighbour, type Route } from '../state.ts'
import { addressId, isTemporary } from './addresses.ts'
import { isAdvertised } from './advertised.ts'
import { neighbourId, nexthopId } from './converge-others.ts'
import type { Sides } from './footprint.ts'
import { isOnDev, ownProtocol, prefixRoutes, routeId, slotOf } from './routes.ts'

/** Ids of what was on the bridge at the commit, is there no longer, and is not missed. */
export interface Gone {
  readonly addresses: ReadonlySet<string>
  readonly routes: ReadonlySet<string>
  readonly neighbours: ReadonlySet<string>
  readonly nexthops: ReadonlySet<string>
}

const nothing: Gone = {
  addresses: new Set(),
  routes: new Set(),
  neighbours: new Set(),
  nexthops: new Set(),
}

/**
 * What had its time (a lease, an advertisement, and the routes that need them), and what has another in its place by now (a
 * route that was replaced). Everything else that is missing was lost: it is put back. What went with the bridge was all lost.
 */
export function goneForGood(raised: NetworkState, now: NetworkState, { bridge }: Sides): Gone {
  const link = findLink(now, bridge)
  if (link === undefined || link.index !== findLink(raised, bridge)?.index) return nothing
  const addresses = goneAddresses(raised, now, bridge)
  const gone = raised.addresses.filter((address) => addresses.has(addressId(address)))
  return {
    addresses,
    routes: goneRoutes(raised, now, { bridge, gone }),
    neighbours: replaced(raised.neighbours, now.neighbours, { idOf: neighbourId, placeOf: neighbourPlace }),
    nexthops: replaced(raised.nexthops, now.nexthops, { idOf: nexthopId, placeOf: ({ id }) => String(id) }),
  }
}

export const neighbourPlace = ({ dev, dst, proxy }: Neighbour): string => `${dev} ${dst} ${String(proxy)}`

function replaced<T>(
  then: readonly T[],
  now: readonly T[],
  { idOf, placeOf }: { idOf: (item: T) => string; placeOf: (item: T) => string },
): ReadonlySet<string> {
  const present = new Set(now.map(idOf))
  const taken = new Set(now.map(placeOf))
  return new Set(then.filter((item) => taken.has(placeOf(item)) && !present.has(idOf(item))).map(idOf))
}

function goneAddresses(raised: NetworkState, now: NetworkState, bridge: string): ReadonlySet<string> {
  const on = (state: NetworkState): readonly Address[] =>
    state.addresses.filter((address) => address.dev === bridge)
  const present = new Set(on(now).map(addressId))
  const isOver = (address: Address): boolean =>
    address.validUntil !== undefined ||
    isTemporary(address) ||
    on(now).some(({ local }) => local === address.local)
  return new Set(
    on(raised)
      .filter((address) => !present.has(addressId(address)) && isOver(address))
      .map(addressId),
  )
}

function goneRoutes(
  raised: NetworkState,
  now: NetworkState,
  { bridge, gone }: { bridge: string; gone: readonly Address[] },
): ReadonlySet<string> {
  const then = new Set(raised.routes.map(routeId))
  const present = new Set(now.routes.map(routeId))
  const made = new Set(now.addresses.flatMap(prefixRoutes).map(routeId))
  const isPutThere = (route: Route): boolean =>
    isOnDev(route, [bridge]) && !then.has(routeId(route)) && !made.has(routeId(route)) && !isPassing(route)
  const taken = new Set(now.routes.filter(isPutThere).map(slotOf))
  const staying = raised.addresses.filter((address) => address.dev === bridge && !gone.includes(address))
  const isOver = (route: Route): boolean =>
    isPassing(route) ||
    taken.has(slotOf(route)) ||
    gone.some((address) => comesWith(route, address)) ||
    (gone.some((address) => reaches(address, route)) && !staying.some((address) => reaches(address, route)))
  return new Set(raised.routes.filter((route) => !present.has(routeId(route)) && isOver(route)).map(routeId))
}

/** Routers advertise them again, or their time ends. */
const isPassing = (route: Route): boolean =>
  isAdvertised(route) || route.protocol === ownProtocol || route.expiresAt !== undefined

const comesWith = (route: Route, address: Address): boolean =>
  route.source === address.local || prefixRoutes(address).some((own) => routeId(own) === routeId(route))

/** Whether a gateway of the route is in the address's subnet. */
function reaches({ family, local, peer, prefixLength }: Address, route: Route): boolean {
  const subnet = { family, text: peer ?? local, prefixLength }
  return route.hops.some(({ gateway }) => {
    const ip = gateway === undefined ? undefined : parseIp(gateway)
    return ip?.family === family && contains(subnet, ip)
  })
}
