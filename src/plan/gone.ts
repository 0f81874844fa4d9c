import { isSameLink, type Address, type NetworkState, type Neighbour, type Route } from '../state.ts'
import { addressId, hasExpired, isAutomatic, isTemporary, moveAddress, subnetOf } from './addresses.ts'
import { isAdvertised } from './advertised.ts'
import { neighbourId, nexthopId } from './converge-others.ts'
import { devsOf, isOnUplink, type Sides } from './footprint.ts'
import { holds, isKernelsOwn, isOnDev, ownProtocol, prefixRoutes, routeId, slotOf } from './routes.ts'

/** Ids of what is not to be on the bridge any more: it is not missed, or of no use. */
export interface Gone {
  readonly addresses: ReadonlySet<string>
  readonly routes: ReadonlySet<string>
  readonly neighbours: ReadonlySet<string>
  readonly nexthops: ReadonlySet<string>
}

interface GoneOptions {
  readonly sides: Sides
  /** Now, in seconds of CLOCK_BOOTTIME. */
  readonly at: number
}

/**
 * What had its time (a lease, an advertisement, and the routes and next-hop objects that need them), and what has another in its place by now (a
 * renumbered address, a route that was replaced). Everything else that is missing was lost: it is put back. Of what went with
 * the bridge, only the expired is not.
 */
export function goneForGood(raised: NetworkState, now: NetworkState, { sides, at }: GoneOptions): Gone {
  const isReplaceable = isSameLink(sides.bridge, raised, now)
  const change = { raised, now, sides, at, isReplaceable }
  const addresses = goneAddresses(change)
  const out = { addresses, isCutOff: cutOffBy(addresses, change) }
  const replaced = isReplaceable ? replacedIds : (): ReadonlySet<string> => new Set()
  return {
    addresses: new Set(addresses.map(addressId)),
    routes: goneRoutes(change, out),
    neighbours: replaced(raised.neighbours, now.neighbours, { idOf: neighbourId, placeOf: neighbourPlace }),
    nexthops: new Set([
      ...replaced(raised.nexthops, now.nexthops, { idOf: nexthopId, placeOf: ({ id }) => String(id) }),
      ...goneNexthops(change, out),
    ]),
  }
}

interface Change extends GoneOptions {
  readonly raised: NetworkState
  readonly now: NetworkState
  /** Whether the bridge is the one of the commit, so that what it lacks was taken from it. */
  readonly isReplaceable: boolean
}

interface Outdated {
  readonly addresses: readonly Address[]
  readonly isCutOff: (gateway: string) => boolean
}

export const neighbourPlace = ({ dev, dst, proxy }: Neighbour): string => `${dev} ${dst} ${String(proxy)}`

function replacedIds<T>(
  then: readonly T[],
  now: readonly T[],
  { idOf, placeOf }: { idOf: (item: T) => string; placeOf: (item: T) => string },
): ReadonlySet<string> {
  const present = new Set(now.map(idOf))
  const taken = new Set(now.map(placeOf))
  return new Set(then.filter((item) => taken.has(placeOf(item)) && !present.has(idOf(item))).map(idOf))
}

/** Those of the commit. An address that somebody put on the uplink counts as on the bridge: it is brought over. */
function goneAddresses({ raised, now, sides, at, isReplaceable }: Change): readonly Address[] {
  const present = now.addresses
    .filter(({ dev }) => devsOf(sides).includes(dev))
    .map((address) => moveAddress(address, sides.bridge))
  const ids = new Set(present.map(addressId))
  const old = new Set(raised.addresses.map(addressId))
  const come = present.filter((address) => !old.has(addressId(address)) && !isAutomatic(address))
  const isReplaced = (address: Address): boolean =>
    isTemporary(address) || come.some((other) => replaces(other, address))
  return raised.addresses.filter(
    (address) =>
      address.dev === sides.bridge &&
      !ids.has(addressId(address)) &&
      (hasExpired(address.validUntil, at) || (isReplaceable && isReplaced(address))),
  )
}

/** A new lease ends the old one; somebody else renumbers within the subnet, or gives the same address another prefix length. */
const replaces = (other: Address, address: Address): boolean =>
  other.local === address.local ||
  subnetOf(other) === subnetOf(address) ||
  (other.family === address.family && other.validUntil !== undefined && address.validUntil !== undefined)

function goneRoutes({ raised, now, sides, at, isReplaceable }: Change, out: Outdated): ReadonlySet<string> {
  const then = new Set(raised.routes.map(routeId))
  const present = new Set(now.routes.map(routeId))
  const made = new Set(now.addresses.flatMap(prefixRoutes).map(routeId))
  const isPutThere = (route: Route): boolean =>
    route.type === 'unicast' &&
    !isOnUplink(route, sides) &&
    ![then, made].some((ids) => ids.has(routeId(route))) &&
    !isPassing(route)
  const taken = new Set(now.routes.filter(isPutThere).map(slotOf))
  const isOver = (route: Route): boolean =>
    hasExpired(route.expiresAt, at) ||
    (isReplaceable && (isPassing(route) || taken.has(slotOf(route)))) ||
    out.addresses.some((address) => comesWith(route, address))
  const isCutOff = (route: Route): boolean =>
    isOnDev(route, devsOf(sides)) &&
    route.hops.some(({ gateway, onlink }) => !onlink && gateway !== undefined && out.isCutOff(gateway))
  return new Set(
    [
      ...raised.routes.filter((route) => !present.has(routeId(route)) && isOver(route)),
      ...[...raised.routes, ...now.routes].filter(isCutOff),
    ].map(routeId),
  )
}

const goneNexthops = ({ raised, now, sides }: Change, { isCutOff }: Outdated): readonly string[] =>
  [...raised.nexthops, ...now.nexthops]
    .filter(({ dev, words: [via, gateway, ...rest] }) => {
      const isOurs = dev !== undefined && devsOf(sides).includes(dev)
      return isOurs && via === 'via' && !rest.includes('onlink') && isCutOff(gateway ?? '')
    })
    .map(nexthopId)

/** Routers advertise them again, or they are ours for a while. */
const isPassing = (route: Route): boolean => isAdvertised(route) || route.protocol === ownProtocol

const comesWith = (route: Route, address: Address): boolean =>
  route.source === address.local || prefixRoutes(address).some((own) => routeId(own) === routeId(route))

/** Whether an address that has gone led to a gateway, and nothing that stays does: the kernel would not take a route by it. */
function cutOffBy(gone: readonly Address[], { raised, now, sides }: Change): (gateway: string) => boolean {
  const devs = devsOf(sides)
  const staying = [raised, now].flatMap(({ addresses, routes }) => [
    ...addresses.filter((address) => devs.includes(address.dev) && !gone.includes(address)).map(subnetOf),
    ...routes.filter((route) => isOnLink(route, devs, gone)).map(({ dst }) => dst),
  ])
  const left = gone.map(subnetOf)
  return (gateway) =>
    left.some((subnet) => holds(subnet, gateway)) && !staying.some((dst) => holds(dst, gateway))
}

const isOnLink = (route: Route, devs: readonly string[], gone: readonly Address[]): boolean =>
  isOnDev(route, devs) &&
  route.hops.every(({ gateway }) => gateway === undefined) &&
  !isKernelsOwn(route) &&
  !gone.some((address) => comesWith(route, address))
