import type { Address, NetworkState, Neighbour, Nexthop, Route, Rule } from '../state.ts'
import {
  addressId,
  isAdvertisedAddress,
  isAutomatic,
  isTemporary,
  moveAddress,
  rankedId,
} from './addresses.ts'
import { isAdvertised } from './advertised.ts'
import { nexthopId, neighbourId, ruleId } from './converge-others.ts'
import { devsOf, isOnUplink, objectsOn, routeFilter, ruleNames, type Sides } from './footprint.ts'
import { goneForGood, neighbourPlace, type Gone } from './gone.ts'
import { movedRoute, movedRule, withoutStatus } from './goals.ts'
import { isKernelsOwn, ownProtocol, prefixRoutes, routeId, slotOf } from './routes.ts'
import { withoutObjects } from './without-link.ts'

interface CarryOptions {
  readonly sides: Sides
  /** When brup committed. */
  readonly raised: NetworkState
  /** Now, in seconds of CLOCK_BOOTTIME. */
  readonly at: number
  /** What the goal starts from: the state before brup, or the one when it committed. */
  readonly base: NetworkState
  /** The link where what has come since belongs. */
  readonly to: string
}

type Carried = Pick<NetworkState, 'addresses' | 'routes' | 'rules' | 'nexthops' | 'neighbours'>

/**
 * The base, less what has gone for good since the commit, plus what has come, wherever of the two sides somebody put it. What
 * was put back on the uplink is not added where the bridge has it, or has something in its place.
 */
export function carry(now: NetworkState, options: CarryOptions): Carried {
  const { sides, raised, base } = options
  const devs = devsOf(sides)
  const gone = goneForGood(raised, now, options)
  const objects = objectsOn([...base.nexthops, ...now.nexthops], devs)
  const nexthops = carriedNexthops(now, options, { objects, gone })
  const ids = new Set(nexthops.map(({ id }) => id))
  const hasObject = ({ nhid }: Route): boolean => nhid === undefined || !objects.has(nhid) || ids.has(nhid)
  return {
    addresses: carriedAddresses(now, options, gone),
    routes: carriedRoutes(now, options, gone).filter(hasObject),
    rules: carryAll<Rule>(listsOf(now, options, 'rules'), options, {
      isOurs: (rule) => ruleNames(rule, devs),
      idOf: ruleId,
      placeOf: ruleId,
      moved: movedRule,
      gone: new Set(),
    }),
    nexthops,
    neighbours: carryAll<Neighbour>(listsOf(now, options, 'neighbours'), options, {
      isOurs: ({ dev }) => devs.includes(dev),
      idOf: neighbourId,
      placeOf: neighbourPlace,
      moved: renamed,
      gone: gone.neighbours,
    }),
  }
}

const renamed = <T extends { readonly dev: string | undefined }>(item: T, from: string, to: string): T =>
  item.dev === from ? { ...item, dev: to } : item

type Lists<T> = Readonly<Record<'base' | 'raised' | 'now', readonly T[]>>

const listsOf = <Key extends keyof NetworkState>(
  now: NetworkState,
  { base, raised }: CarryOptions,
  key: Key,
): Readonly<Record<'base' | 'raised' | 'now', NetworkState[Key]>> => ({
  base: base[key],
  raised: raised[key],
  now: now[key],
})

interface Kind<T> {
  readonly isOurs: (item: T) => boolean
  readonly idOf: (item: T) => string
  /** What only one can have. */
  readonly placeOf: (item: T) => string
  readonly moved: (item: T, from: string, to: string) => T
  /** Ids that they have on the bridge. */
  readonly gone: ReadonlySet<string>
}

function carryAll<T>(
  { base, raised, now }: Lists<T>,
  { sides: { uplink, bridge }, to }: CarryOptions,
  { isOurs, idOf, placeOf, moved, gone }: Kind<T>,
): readonly T[] {
  const up = (item: T): T => (uplink === undefined ? item : moved(item, uplink, bridge))
  const target = to === bridge ? up : (item: T): T => moved(item, bridge, to)
  const isGone = (item: T): boolean => isOurs(item) && gone.has(idOf(up(item)))
  const isOnUplink = (item: T): boolean => idOf(up(item)) !== idOf(item)
  const atCommit = new Set(raised.map(idOf))
  const come = now.filter((item) => isOurs(item) && !isGone(item) && !atCommit.has(idOf(item)))
  const kept = base.filter((item) => !isGone(item))
  const ids = new Set(kept.map(idOf))
  const own = come.filter((item) => !isOnUplink(item)).map(target)
  const places = new Set([...kept, ...own].map(placeOf))
  return [
    ...kept,
    ...own.filter((item) => !ids.has(idOf(item))),
    ...come
      .filter(isOnUplink)
      .map(target)
      .filter((item) => !places.has(placeOf(item))),
  ]
}

/** Groups are left with the members that stay. */
function carriedNexthops(
  now: NetworkState,
  options: CarryOptions,
  { objects, gone }: { objects: ReadonlySet<number>; gone: Gone },
): readonly Nexthop[] {
  const nexthops = carryAll<Nexthop>(listsOf(now, options, 'nexthops'), options, {
    isOurs: ({ id }) => objects.has(id),
    idOf: nexthopId,
    placeOf: ({ id }) => String(id),
    moved: renamed,
    gone: gone.nexthops,
  })
  const ids = new Set(nexthops.map(({ id }) => id))
  return withoutObjects(nexthops, new Set([...objects].filter((id) => !ids.has(id))))
}

function carriedAddresses(now: NetworkState, options: CarryOptions, gone: Gone): readonly Address[] {
  const { sides, to } = options
  const lists = listsOf(now, options, 'addresses')
  const plain = (addresses: readonly Address[]): readonly Address[] =>
    addresses.filter((address) => !isTemporary(address))
  /** On the uplink, link-local ones and those that a router advertised are the kernel's: it makes them on the bridge, too. */
  const isKernels = (address: Address): boolean =>
    address.dev === sides.uplink &&
    isAutomatic(address) &&
    (to === sides.bridge || !isAdvertisedAddress(address))
  return carryAll<Address>(
    {
      base: lists.base.map(withoutStatus),
      raised: plain(lists.raised),
      now: plain(lists.now).filter((address) => !isKernels(address)),
    },
    options,
    {
      isOurs: ({ dev }) => devsOf(sides).includes(dev),
      idOf: addressId,
      placeOf: addressId,
      moved: (address, from, dev) => (address.dev === from ? moveAddress(address, dev) : address),
      gone: gone.addresses,
    },
  )
}

/**
 * Neither prefix routes of addresses that were there at the commit, nor what routers advertise count as added: the kernel
 * makes them anew.
 */
function carriedRoutes(now: NetworkState, options: CarryOptions, gone: Gone): readonly Route[] {
  const { raised, base, sides, to } = options
  const devs = devsOf(sides)
  const isTouched = [routeFilter(base, devs), routeFilter(now, devs)]
  const old = new Set(raised.addresses.map(rankedId))
  const made = new Set(
    now.addresses
      .filter((address) => old.has(rankedId(address)))
      .flatMap(prefixRoutes)
      .map(routeId),
  )
  const atCommit = new Set(raised.routes.map(routeId))
  const isPut = (route: Route): boolean =>
    atCommit.has(routeId(route)) ||
    !(isAdvertised(route) || route.protocol === ownProtocol || made.has(routeId(route)))
  const stays = (route: Route): boolean => to === sides.bridge && !isOnUplink(route, sides)
  const plain = (routes: readonly Route[]): readonly Route[] => routes.filter((route) => !isKernelsOwn(route))
  return carryAll<Route>(
    {
      base: base.routes,
      raised: plain(raised.routes),
      now: plain(now.routes).filter((route) => stays(route) || isPut(route)),
    },
    options,
    {
      isOurs: (route) =>
        (stays(route) || !isAdvertised(route)) && !isKernelsOwn(route) && isTouched.some((is) => is(route)),
      idOf: routeId,
      placeOf: slotOf,
      moved: movedRoute,
      gone: gone.routes,
    },
  )
}
