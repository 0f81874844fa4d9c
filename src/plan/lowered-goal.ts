import type { Address, NetworkState, Route } from '../state.ts'
import { stopGap } from './advertised.ts'
import { addressId, inKernelOrder, isTemporary, moveAddress } from './addresses.ts'
import { neighbourId, nexthopId, ruleId } from './converge-others.ts'
import { devsOf, objectsOn, ruleNames, type Sides } from './footprint.ts'
import { movedRoute, touchedRoutes, withoutStatus } from './goals.ts'
import { moveHops, ownProtocol, prefixRoutes, routeId } from './routes.ts'

interface LowerOptions {
  readonly sides: Sides
  /** Before brup. */
  readonly original: NetworkState
  /** When brup committed. */
  readonly raised: NetworkState
}

/** The host off the bridge: as it was before, with what has changed on the bridge since the commit. */
export function loweredGoal(now: NetworkState, options: LowerOptions): NetworkState {
  const { sides, original } = options
  const { uplink, bridge } = sides
  const devs = devsOf(sides)
  const toUplink = <T extends { dev: string }>(item: T): T =>
    item.dev === bridge ? { ...item, dev: uplink } : item
  const toBridge = <T extends { dev: string }>(item: T): T =>
    item.dev === uplink ? { ...item, dev: bridge } : item
  const named = (state: NetworkState): NetworkState['rules'] =>
    state.rules.filter((rule) => ruleNames(rule, devs))
  const rename = (from: string, to: string) => (rule: NetworkState['rules'][number]) => ({
    ...rule,
    iif: rule.iif === from ? to : rule.iif,
    oif: rule.oif === from ? to : rule.oif,
  })
  const objectDev = (from: string, to: string) => (item: NetworkState['nexthops'][number]) =>
    item.dev === from ? { ...item, dev: to } : item
  return {
    links: original.links,
    addresses: loweredAddresses(now, options),
    routes: loweredRoutes(now, options),
    rules: carry({
      of: named,
      idOf: ruleId,
      up: rename(uplink, bridge),
      down: rename(bridge, uplink),
      now,
      ...options,
    }),
    nexthops: carry({
      of: (state) => {
        const objects = objectsOn(state.nexthops, devs)
        return state.nexthops.filter(({ id }) => objects.has(id))
      },
      idOf: nexthopId,
      up: objectDev(uplink, bridge),
      down: objectDev(bridge, uplink),
      now,
      ...options,
    }),
    neighbours: carry({
      of: (state) => state.neighbours.filter(({ dev }) => devs.includes(dev)),
      idOf: neighbourId,
      up: toBridge,
      down: toUplink,
      now,
      ...options,
    }),
    sysctls: original.sysctls,
  }
}

interface Carry<T> extends LowerOptions {
  readonly now: NetworkState
  readonly of: (state: NetworkState) => readonly T[]
  readonly idOf: (item: T) => string
  readonly up: (item: T) => T
  readonly down: (item: T) => T
}

/** The items of before, less those that have gone since the commit, and those that have come since then. */
function carry<T>({ now, original, raised, of, idOf, up, down }: Carry<T>): readonly T[] {
  const atCommit = new Set(of(raised).map(idOf))
  const present = new Set(of(now).map(idOf))
  const isGone = (item: T): boolean => atCommit.has(idOf(up(item))) && !present.has(idOf(up(item)))
  const added = of(now).filter((item) => !atCommit.has(idOf(item)))
  return [...of(original).filter((item) => !isGone(item)), ...added.map(down)]
}

function loweredAddresses(now: NetworkState, options: LowerOptions): readonly Address[] {
  const { original, sides } = options
  const { uplink, bridge } = sides
  const on = (state: NetworkState): readonly Address[] =>
    state.addresses.filter((address) => devsOf(sides).includes(address.dev) && !isTemporary(address))
  const kept = { ...original, addresses: original.addresses.map(withoutStatus) }
  const carried = carry({
    of: on,
    idOf: addressId,
    up: (address) => (address.dev === uplink ? moveAddress(address, bridge) : address),
    down: (address) => (address.dev === bridge ? moveAddress(address, uplink) : address),
    now,
    ...options,
    original: kept,
  })
  const present = new Map(on(now).map((address) => [addressId(address), address]))
  return carried
    .map((address) => {
      const actual = present.get(addressId({ ...address, dev: bridge }))
      if (actual === undefined || address.dev !== uplink) return address
      return { ...address, validUntil: actual.validUntil, preferredUntil: actual.preferredUntil }
    })
    .sort(inKernelOrder)
}

function loweredRoutes(now: NetworkState, options: LowerOptions): readonly Route[] {
  const { original, sides } = options
  const { uplink, bridge } = sides
  const made = new Set(now.addresses.flatMap(prefixRoutes).map(routeId))
  const since = (state: NetworkState): readonly Route[] =>
    touchedRoutes(state, sides).filter((route) => {
      const isKernels = route.protocol === 'ra' || route.protocol === ownProtocol
      return state !== now || !(isKernels || made.has(routeId(route)))
    })
  const present = new Set(touchedRoutes(now, sides).map(routeId))
  const carried = carry({
    of: (state) => (state === now ? [...since(state), ...keptBy(state)] : since(state)),
    idOf: routeId,
    up: (route) => movedRoute(route, uplink, bridge),
    down: (route) => moveHops(route, bridge, uplink),
    now,
    ...options,
  })
  return carried.map(stopGap)

  /** Prefix routes and advertised ones are no additions, but they are there. */
  function keptBy(state: NetworkState): readonly Route[] {
    const before = new Set(original.routes.map((route) => routeId(movedRoute(route, uplink, bridge))))
    return touchedRoutes(state, sides).filter(
      (route) => before.has(routeId(route)) && present.has(routeId(route)),
    )
  }
}
