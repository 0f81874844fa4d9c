import type { Family } from '../names.ts'
import { findLink, type Address, type NetworkState, type Route, type Rule } from '../state.ts'
import { addressId, inKernelOrder, isTemporary, moveAddress } from './addresses.ts'
import { isAdvertised, stopGap } from './advertised.ts'
import { neighbourId, nexthopId, ruleId } from './converge-others.ts'
import { devsOf, objectsOn, routeFilter, ruleNames, type Sides } from './footprint.ts'
import { movedRoute, movedRule, withoutStatus } from './goals.ts'
import { isKernelsOwn, isOnDev, moveHops, ownProtocol, routeId } from './routes.ts'

interface LowerOptions {
  readonly sides: Sides
  /** Before brup. */
  readonly original: NetworkState
  /** When brup committed. */
  readonly raised: NetworkState
}

/** The host off the bridge: as it was before, with what has changed on the bridge since the commit. */
export function loweredGoal(now: NetworkState, options: LowerOptions): NetworkState {
  const { sides, original, raised } = options
  // What went with the bridge was not taken away by anybody's wish.
  if (findLink(now, sides.bridge)?.up !== true) return original
  const { uplink, bridge } = sides
  const states = { original, raised, now: withLosses(now, raised, bridge) }
  const devs = devsOf(sides)
  const renamed =
    (from: string, to: string) =>
    <T extends { readonly dev: string | undefined }>(item: T): T =>
      item.dev === from ? { ...item, dev: to } : item
  return {
    links: original.links,
    addresses: loweredAddresses(states.now, options),
    routes: loweredRoutes(states.now, options),
    rules: carry<Rule>({
      ...each(states, (state) => state.rules),
      isOurs: (rule) => ruleNames(rule, devs),
      idOf: ruleId,
      up: (rule) => movedRule(rule, uplink, bridge),
      down: (rule) => movedRule(rule, bridge, uplink),
    }),
    nexthops: carry({
      ...each(states, (state) => state.nexthops),
      isOurs: (item) => objectsOn([...original.nexthops, ...now.nexthops], devs).has(item.id),
      idOf: nexthopId,
      up: renamed(uplink, bridge),
      down: renamed(bridge, uplink),
    }),
    neighbours: carry({
      ...each(states, (state) => state.neighbours),
      isOurs: ({ dev }) => devs.includes(dev),
      idOf: neighbourId,
      up: renamed(uplink, bridge),
      down: renamed(bridge, uplink),
    }),
    sysctls: original.sysctls,
  }
}

type States<T> = Readonly<Record<'original' | 'raised' | 'now', T>>

const each = <T>(states: States<NetworkState>, of: (state: NetworkState) => T): States<T> => ({
  original: of(states.original),
  raised: of(states.raised),
  now: of(states.now),
})

interface Carry<T> extends States<readonly T[]> {
  readonly isOurs: (item: T) => boolean
  readonly idOf: (item: T) => string
  readonly up: (item: T) => T
  readonly down: (item: T) => T
}

/**
 * Nobody wishes for a host without any address, or without any way out: where a family has lost all of either, as
 * when a link goes down and up again, what went is taken as still there.
 */
export function withLosses(now: NetworkState, raised: NetworkState, bridge: string): NetworkState {
  const lost = ([4, 6] as const).filter((family) =>
    [hasAddress, hasWay].some((has) => has(raised, bridge, family) && !has(now, bridge, family)),
  )
  const still = <T extends { readonly family: Family }>(
    list: (state: NetworkState) => readonly T[],
    idOf: (item: T) => string,
  ): readonly T[] => {
    const present = new Set(list(now).map(idOf))
    return [
      ...list(now),
      ...list(raised).filter((item) => lost.includes(item.family) && !present.has(idOf(item))),
    ]
  }
  if (lost.length === 0) return now
  return {
    ...now,
    addresses: still(({ addresses }) => addresses, addressId),
    routes: still(({ routes }) => routes, routeId),
    nexthops: still(({ nexthops }) => nexthops, nexthopId),
    neighbours: still(({ neighbours }) => neighbours, neighbourId),
  }
}

const hasAddress = (state: NetworkState, dev: string, family: Family): boolean =>
  state.addresses.some((item) => item.dev === dev && item.family === family && item.scope === 'global')

/** A route that did not come with an address. */
const hasWay = (state: NetworkState, dev: string, family: Family): boolean =>
  state.routes.some((item) => item.family === family && item.protocol !== 'kernel' && isOnDev(item, [dev]))

/** The items of before in their order, less those of ours that have gone since the commit, and what has come. */
function carry<T>({ original, raised, now, isOurs, idOf, up, down }: Carry<T>): readonly T[] {
  const atCommit = new Set(raised.map(idOf))
  const present = new Set(now.map(idOf))
  const isGone = (item: T): boolean =>
    isOurs(item) && atCommit.has(idOf(up(item))) && !present.has(idOf(up(item)))
  const kept = original.filter((item) => !isGone(item))
  const known = new Set(kept.map(idOf))
  const added = now.filter((item) => isOurs(item) && !atCommit.has(idOf(item))).map(down)
  return [...kept, ...added.filter((item) => !known.has(idOf(item)))]
}

function loweredAddresses(now: NetworkState, { original, raised, sides }: LowerOptions): readonly Address[] {
  const { uplink, bridge } = sides
  const plain = (state: NetworkState): readonly Address[] =>
    state.addresses.filter((address) => !isTemporary(address))
  const carried = carry<Address>({
    original: original.addresses.map(withoutStatus),
    raised: plain(raised),
    now: plain(now),
    isOurs: ({ dev }) => devsOf(sides).includes(dev),
    idOf: addressId,
    up: (address) => (address.dev === uplink ? moveAddress(address, bridge) : address),
    down: (address) => (address.dev === bridge ? moveAddress(address, uplink) : address),
  })
  const present = new Map(now.addresses.map((address) => [addressId(address), address]))
  return carried
    .map((address) => {
      const actual = present.get(addressId({ ...address, dev: bridge }))
      if (actual === undefined || address.dev !== uplink) return address
      return { ...address, validUntil: actual.validUntil, preferredUntil: actual.preferredUntil }
    })
    .sort(inKernelOrder)
}

/** What routers advertise counts neither as added nor as gone: the kernel makes it anew. */
function loweredRoutes(now: NetworkState, { original, raised, sides }: LowerOptions): readonly Route[] {
  const { uplink, bridge } = sides
  const devs = devsOf(sides)
  const isTouched = [routeFilter(original, devs), routeFilter(now, devs)]
  const atCommit = new Set(raised.routes.map(routeId))
  const isAddition = (route: Route): boolean =>
    atCommit.has(routeId(route)) || !(isAdvertised(route) || route.protocol === ownProtocol)
  const plain = (routes: readonly Route[]): readonly Route[] => routes.filter((route) => !isKernelsOwn(route))
  return carry<Route>({
    original: original.routes,
    raised: plain(raised.routes),
    now: plain(now.routes).filter(isAddition),
    isOurs: (route) => !isAdvertised(route) && !isKernelsOwn(route) && isTouched.some((is) => is(route)),
    idOf: routeId,
    up: (route) => movedRoute(route, uplink, bridge),
    down: (route) => moveHops(route, bridge, uplink),
  }).map((route) => (isTouched.some((is) => is(route)) ? stopGap(route) : route))
}
