import { findLink, type Address, type NetworkState, type Route } from '../state.ts'
import { addressId, addressTraits, withSecondaries } from './addresses.ts'
import { arranged } from './arranged.ts'
import { stopGap } from './advertised.ts'
import { carry } from './carry.ts'
import { devsOf, routeFilter, type Move } from './footprint.ts'
import { resolvedBack } from './resolved.ts'
import { prefixRoutes, routeId } from './routes.ts'
import { withoutLink } from './without-link.ts'

interface LowerOptions {
  readonly sides: Move
  /** Before brup. */
  readonly original: NetworkState
  /** When brup committed. */
  readonly raised: NetworkState
  /** Now, in seconds of CLOCK_BOOTTIME. */
  readonly at: number
}

/**
 * The host off the bridge: as it was before, with what has come to the bridge since the commit. What somebody took away is put
 * back, but for what is over or was replaced. An adopted bridge that is gone is not made again.
 */
export function loweredGoal(now: NetworkState, { sides, original, raised, at }: LowerOptions): NetworkState {
  const isThere = findLink(now, sides.bridge) !== undefined
  const base = isThere ? original : withoutLink(original, sides.bridge)
  const carried = carry(now, { sides, raised, at, base, to: sides.uplink })
  const isTouched = [routeFilter(base, devsOf(sides)), routeFilter(now, devsOf(sides))]
  const standing = standingAddresses(now, carried.addresses, sides)
  const addresses = arranged(carried.addresses, { now, sides, standing })
  return {
    ...carried,
    links: base.links,
    sysctls: base.sysctls,
    routing: base.routing,
    dnsmasq: base.dnsmasq,
    firewall: base.firewall,
    clients: base.clients,
    manager: base.manager,
    networkd: base.networkd,
    resolved: resolvedBack({ original: base, raised, now, sides }),
    resolvconf: base.resolvconf,
    addresses,
    routes: withoutSecondaries(carried.routes, addresses).map((route) =>
      isTouched.some((is) => is(route)) ? stopGap(route) : route,
    ),
  }
}

/** What is on a port goes before the way down begins, and an IPv4 address with other traits is made anew. */
function standingAddresses(
  now: NetworkState,
  wanted: readonly Address[],
  { uplink, bridge }: Move,
): readonly Address[] {
  const idOf = (address: Address): string =>
    `${addressId(address)} ${address.family === 4 ? addressTraits(address) : ''}`
  const ids = new Set(withSecondaries(wanted).map(idOf))
  const isPort = findLink(now, uplink)?.master === bridge
  return now.addresses.filter((address) => !(isPort && address.dev === uplink) && ids.has(idOf(address)))
}

/** What was a primary on the bridge may be a secondary again, which has no prefix route. */
function withoutSecondaries(routes: readonly Route[], addresses: readonly Address[]): readonly Route[] {
  const secondaries = addresses.filter(({ status }) => status.includes('secondary'))
  const gone = new Set(
    secondaries.flatMap((address) => prefixRoutes({ ...address, status: [] })).map(routeId),
  )
  return routes.filter((route) => !gone.has(routeId(route)))
}
