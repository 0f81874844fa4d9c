import { findLink, type Address, type NetworkState } from '../state.ts'
import { addressId, inKernelOrder } from './addresses.ts'
import { stopGap } from './advertised.ts'
import { carry } from './carry.ts'
import { devsOf, routeFilter, type Sides } from './footprint.ts'
import { withoutLink } from './without-link.ts'

interface LowerOptions {
  readonly sides: Sides
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
  const carried = carry(now, { sides, raised, at, base, to: 'uplink' })
  const isTouched = [routeFilter(base, devsOf(sides)), routeFilter(now, devsOf(sides))]
  return {
    ...carried,
    links: base.links,
    sysctls: base.sysctls,
    addresses: withLifetimes(carried.addresses, now, sides),
    routes: carried.routes.map((route) => (isTouched.some((is) => is(route)) ? stopGap(route) : route)),
  }
}

/** A lease that was renewed on the bridge lives as long on the uplink. */
const withLifetimes = (
  addresses: readonly Address[],
  now: NetworkState,
  { uplink, bridge }: Sides,
): readonly Address[] => {
  const present = new Map(now.addresses.map((address) => [addressId(address), address]))
  return addresses
    .map((address) => {
      const actual = present.get(addressId({ ...address, dev: bridge }))
      if (actual === undefined || address.dev !== uplink) return address
      return { ...address, validUntil: actual.validUntil, preferredUntil: actual.preferredUntil }
    })
    .sort(inKernelOrder)
}
