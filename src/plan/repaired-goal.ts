import { findLink, type Address, type NetworkState, type Route, type Rule } from '../state.ts'
import { addressId, inKernelOrder, isTemporary, moveAddress } from './addresses.ts'
import { isAdvertised } from './advertised.ts'
import { compare, type Difference } from './compare.ts'
import { neighbourId, nexthopId, ruleId } from './converge-others.ts'
import { devsOf, objectsOn, routeFilter, ruleNames, type Sides } from './footprint.ts'
import { movedRoute, movedRule } from './goals.ts'
import { isKernelsOwn, ownProtocol, routeId } from './routes.ts'
import { rebase } from './rebase.ts'

interface Repair {
  readonly sides: Sides
  /** When brup committed. */
  readonly raised: NetworkState
  /** Seconds of CLOCK_BOOTTIME: what has outlived its time is not missed. */
  readonly at: number
}

/** As brup left it, with what has been added since; what somebody put on the uplink is on the bridge, too. */
export function repairedGoal(now: NetworkState, { sides, raised, at }: Repair): NetworkState {
  const { uplink, bridge } = sides
  const devs = devsOf(sides)
  const moved = <T extends { readonly dev: string | undefined }>(item: T): T =>
    item.dev === uplink ? { ...item, dev: bridge } : item
  const isTouched = [routeFilter(raised, devs), routeFilter(now, devs)]
  const isOurs = (route: Route): boolean =>
    isTouched.some((is) => is(route)) &&
    !isKernelsOwn(route) &&
    !isAdvertised(route) &&
    route.protocol !== ownProtocol
  const objects = objectsOn([...raised.nexthops, ...now.nexthops], devs)
  const goal: NetworkState = {
    links: repairedLinks(now, raised, sides),
    addresses: repairedAddresses(now, { sides, raised, at }),
    routes: merged<Route>({
      base: raised.routes.filter((route) => isOurs(route) && !isOver(route.expiresAt, at)),
      // Those of others are among ours, in their order.
      now: now.routes.filter((route) => isOurs(route) || !isTouched.some((is) => is(route))),
      up: (route) => movedRoute(route, uplink, bridge),
      idOf: routeId,
    }),
    rules: merged<Rule>({
      base: raised.rules.filter((rule) => ruleNames(rule, devs)),
      now: now.rules,
      up: (rule) => movedRule(rule, uplink, bridge),
      idOf: ruleId,
    }),
    nexthops: merged({
      base: raised.nexthops.filter(({ id }) => objects.has(id)),
      now: now.nexthops.filter(({ id }) => objects.has(id)),
      up: moved,
      idOf: nexthopId,
    }),
    neighbours: merged({
      base: raised.neighbours.filter(({ dev }) => devs.includes(dev)),
      now: now.neighbours.filter(({ dev }) => devs.includes(dev)),
      up: moved,
      idOf: neighbourId,
    }),
    // A setting may have been changed on purpose, for all links at once; a bridge made anew has the kernel's own. The
    // IPv6 MTU follows the link's.
    sysctls: (findLink(now, bridge) === undefined ? raised : now).sysctls.filter(({ key }) => key !== 'mtu'),
  }
  return rebase(goal, now, sides)
}

/** What is no longer as brup left it; a line each, none for what was added to the bridge on purpose. */
export function driftOf(now: NetworkState, repair: Repair): readonly Difference[] {
  const { sides } = repair
  if (findLink(now, sides.uplink) === undefined) return [`missing: link ${sides.uplink}`]
  return compare(now, { ...repairedGoal(now, repair), sysctls: now.sysctls }, sides)
}

/** Ports that nobody without our mark may take away: reported only. */
export function strayPorts(now: NetworkState, { sides, raised }: Repair): readonly Difference[] {
  const { uplink, bridge } = sides
  const old = new Set(raised.links.filter(({ master }) => master === bridge).map(({ name }) => name))
  return now.links.flatMap(({ name, master, kind, up, carrier }) => {
    if (master !== bridge || name === uplink || old.has(name)) return []
    if (kind !== 'tun') return [`too much: port ${name}, which is no tap`]
    return up && !carrier ? [`stale: port ${name}, a tap that nobody holds`] : []
  })
}

const isOver = (until: number | undefined, at: number): boolean => until !== undefined && until <= at

/** Of the bridge's ports only the uplink is brup's. */
function repairedLinks(
  now: NetworkState,
  raised: NetworkState,
  { uplink, bridge }: Sides,
): NetworkState['links'] {
  const ours = raised.links.filter(({ name }) => name === uplink || name === bridge)
  return [...now.links.filter(({ name }) => name !== uplink && name !== bridge), ...ours]
}

interface Merge<T> {
  readonly base: readonly T[]
  readonly now: readonly T[]
  readonly up: (item: T) => T
  readonly idOf: (item: T) => string
}

/** What is there in its order, what went in its old place, and last what somebody put on the uplink, moved. */
function merged<T>({ base, now, up, idOf }: Merge<T>): readonly T[] {
  const known = new Set(base.map(idOf))
  const isInPlace = (item: T): boolean => known.has(idOf(item)) || idOf(up(item)) === idOf(item)
  const items = now.filter(isInPlace)
  const ids = items.map(idOf)
  base.forEach((item, index) => {
    if (ids.includes(idOf(item))) return
    const before = base.slice(0, index).findLast((other) => ids.includes(idOf(other)))
    const at = before === undefined ? 0 : ids.indexOf(idOf(before)) + 1
    items.splice(at, 0, item)
    ids.splice(at, 0, idOf(item))
  })
  const moved = now.filter((item) => !isInPlace(item)).map(up)
  return [...items, ...moved.filter((item) => !ids.includes(idOf(item)))]
}

function repairedAddresses(now: NetworkState, { sides, raised, at }: Repair): readonly Address[] {
  const { uplink, bridge } = sides
  const isOurs = ({ dev }: Address): boolean => dev === uplink || dev === bridge
  const present = new Map(now.addresses.map((address) => [addressId(address), address]))
  return merged<Address>({
    base: raised.addresses.filter(
      (address) =>
        !isTemporary(address) && (present.has(addressId(address)) || !isOver(address.validUntil, at)),
    ),
    now: now.addresses.filter((address) => isOurs(address) && !isTemporary(address)),
    up: (address) => (address.dev === uplink ? moveAddress(address, bridge) : address),
    idOf: addressId,
  })
    .map((address) => {
      const actual = present.get(addressId(address))
      if (actual === undefined) return address
      return { ...address, validUntil: actual.validUntil, preferredUntil: actual.preferredUntil }
    })
    .sort(inKernelOrder)
}
