import type { Address, NetworkState, Nexthop, Route, Rule } from '../state.ts'
import { addressId, isTemporary, moveAddress, rankedId } from './addresses.ts'
import { isAdvertised } from './advertised.ts'
import { nexthopId, neighbourId, ruleId } from './converge-others.ts'
import { devsOf, objectsOn, routeFilter, ruleNames, type Sides } from './footprint.ts'
import { goneForGood, neighbourPlace, type Gone } from './gone.ts'
import { movedRoute, movedRule, withoutStatus } from './goals.ts'
import { isKernelsOwn, moveHops, ownProtocol, prefixRoutes, routeId, slotOf } from './routes.ts'

interface CarryOptions {
  readonly sides: Sides
  /** When brup committed. */
  readonly raised: NetworkState
  /** Now, in seconds of CLOCK_BOOTTIME. */
  readonly at: number
  /** What the goal starts from: the state before brup, or the one when it committed. */
  readonly base: NetworkState
  /** Where what has come since belongs. */
  readonly to: 'uplink' | 'bridge'
}

type Carried = Pick<NetworkState, 'addresses' | 'routes' | 'rules' | 'nexthops' | 'neighbours'>

/**
 * The base, less what has gone for good since the commit, plus what has come, wherever of the two sides somebody put it. What
 * was put back on the uplink is not added where the base has it, or has something in its place.
 */
export function carry(now: NetworkState, options: CarryOptions): Carried {
  const { sides, raised, base, to } = options
  const { uplink, bridge } = sides
  const devs = devsOf(sides)
  const gone = goneForGood(raised, now, options)
  const objects = objectsOn([...base.nexthops, ...now.nexthops], devs)
  const up = renamed(uplink, bridge)
  const target = to === 'bridge' ? up : renamed(bridge, uplink)
  return {
    addresses: carriedAddresses(now, options, gone),
    routes: carriedRoutes(now, options, gone),
    rules: carryAll<Rule>(listsOf(now, options, 'rules'), {
      isOurs: (rule) => ruleNames(rule, devs),
      idOf: ruleId,
      placeOf: ruleId,
      up: (rule) => movedRule(rule, uplink, bridge),
      target: (rule) => (to === 'bridge' ? movedRule(rule, uplink, bridge) : movedRule(rule, bridge, uplink)),
      gone: new Set(),
    }),
    nexthops: carryAll<Nexthop>(listsOf(now, options, 'nexthops'), {
      isOurs: ({ id }) => objects.has(id),
      idOf: nexthopId,
      placeOf: ({ id }) => String(id),
      up,
      target,
      gone: gone.nexthops,
    }),
    neighbours: carryAll(listsOf(now, options, 'neighbours'), {
      isOurs: ({ dev }) => devs.includes(dev),
      idOf: neighbourId,
      placeOf: neighbourPlace,
      up,
      target,
      gone: gone.neighbours,
    }),
  }
}

const renamed =
  (from: string, to: string) =>
  <T extends { readonly dev: string | undefined }>(item: T): T =>
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
  readonly up: (item: T) => T
  readonly target: (item: T) => T
  readonly gone: ReadonlySet<string>
}

function carryAll<T>({ base, raised, now }: Lists<T>, kind: Kind<T>): readonly T[] {
  const { isOurs, idOf, placeOf, up, target, gone } = kind
  const kept = base.filter((item) => !(isOurs(item) && gone.has(idOf(up(item)))))
  const atCommit = new Set(raised.map(idOf))
  const ids = new Set(kept.map(idOf))
  const places = new Set(kept.map(placeOf))
  const added = now.flatMap((item) => {
    if (!isOurs(item) || atCommit.has(idOf(item))) return []
    const carried = target(item)
    const isOnUplink = idOf(up(item)) !== idOf(item)
    return ids.has(idOf(carried)) || (isOnUplink && places.has(placeOf(carried))) ? [] : [carried]
  })
  return [...kept, ...new Map(added.map((item) => [idOf(item), item])).values()]
}

function carriedAddresses(now: NetworkState, options: CarryOptions, gone: Gone): readonly Address[] {
  const { uplink, bridge } = options.sides
  const lists = listsOf(now, options, 'addresses')
  const plain = (addresses: readonly Address[]): readonly Address[] =>
    addresses.filter((address) => !isTemporary(address))
  /** On the uplink, link-local ones and those that a router advertised are the kernel's: it makes them on the bridge, too. */
  const isKernels = ({ dev, family, scope, protocol }: Address): boolean =>
    dev === uplink &&
    family === 6 &&
    (scope === 'link' || (options.to === 'bridge' && (protocol?.startsWith('kernel') ?? false)))
  const up = (address: Address): Address => (address.dev === uplink ? moveAddress(address, bridge) : address)
  const down = (address: Address): Address =>
    address.dev === bridge ? moveAddress(address, uplink) : address
  return carryAll<Address>(
    {
      base: lists.base.map(withoutStatus),
      raised: plain(lists.raised),
      now: plain(lists.now).filter((address) => !isKernels(address)),
    },
    {
      isOurs: ({ dev }) => devsOf(options.sides).includes(dev),
      idOf: addressId,
      placeOf: addressId,
      up,
      target: options.to === 'bridge' ? up : down,
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
  const { uplink, bridge } = sides
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
  const stays = (route: Route): boolean => to === 'bridge' && !route.hops.some(({ dev }) => dev === uplink)
  const plain = (routes: readonly Route[]): readonly Route[] => routes.filter((route) => !isKernelsOwn(route))
  return carryAll<Route>(
    {
      base: base.routes,
      raised: plain(raised.routes),
      now: plain(now.routes).filter((route) => stays(route) || isPut(route)),
    },
    {
      isOurs: (route) =>
        (stays(route) || !isAdvertised(route)) && !isKernelsOwn(route) && isTouched.some((is) => is(route)),
      idOf: routeId,
      placeOf: slotOf,
      up: (route) => movedRoute(route, uplink, bridge),
      target: (route) =>
        to === 'bridge' ? moveHops(route, uplink, bridge) : moveHops(route, bridge, uplink),
      gone: gone.routes,
    },
  )
}
