import type { Address, NetworkState } from '../state.ts'
import { addressId, inKernelOrder, isTemporary, moveAddress, withSecondaries } from './addresses.ts'
import { devsOf, type Sides } from './footprint.ts'

interface ArrangeOptions {
  readonly now: NetworkState
  readonly sides: Sides
  /** What keeps its place. */
  readonly standing: readonly Address[]
}

/**
 * The addresses of the two sides in the order that adding the missing ones gives: to put them where they were, those that are in
 * use would have to go for a moment. Lifetimes are those of now.
 */
export function arranged(wanted: readonly Address[], options: ArrangeOptions): readonly Address[] {
  const { now, sides, standing } = options
  const withLifetime = lifetimes(now, sides)
  return devsOf(sides).flatMap((dev) =>
    ([4, 6] as const).flatMap((family) => {
      const list = wanted.filter((item) => item.dev === dev && item.family === family && !isTemporary(item))
      return arrangedList(list, standing).map(withLifetime)
    }),
  )
}

/** One link, one family. A new IPv6 address goes before the others (ipv6_link_dev_addr()). */
function arrangedList(wanted: readonly Address[], present: readonly Address[]): readonly Address[] {
  const places = new Map(present.map((address, index) => [addressId(address), index]))
  const place = (address: Address): number => places.get(addressId(address)) ?? -1
  const kept = wanted.filter((address) => place(address) >= 0).sort((a, b) => place(a) - place(b))
  const missing = wanted.filter((address) => place(address) < 0)
  const listed = wanted[0]?.family === 6 ? [...missing, ...kept] : [...kept, ...missing]
  return [...withSecondaries(listed)].sort(inKernelOrder)
}

/** As long as the address lives now on either side: a client may have renewed its lease there, or a router advertised it again. */
export function lifetimes(now: NetworkState, sides: Sides): (address: Address) => Address {
  const idOf = (address: Address): string => addressId(moveAddress(address, sides.bridge))
  const shortestFirst = now.addresses
    .filter(({ dev }) => devsOf(sides).includes(dev))
    .sort((a, b) => (a.validUntil ?? Infinity) - (b.validUntil ?? Infinity))
  const longest = new Map(shortestFirst.map((address) => [idOf(address), address]))
  return (address) => {
    const { validUntil, preferredUntil } = longest.get(idOf(address)) ?? address
    return { ...address, validUntil, preferredUntil }
  }
}
