import type { Address, NetworkState } from '../state.ts'
import type { Step } from '../step.ts'
import { addressId, addressTraits, isTemporary, livesAsLong } from './addresses.ts'
import { devsOf, type Sides } from './footprint.ts'

export interface AddressShare {
  readonly add: readonly Step[]
  readonly change: readonly Step[]
  readonly remove: readonly Step[]
  readonly added: readonly Address[]
  readonly changed: readonly Address[]
  readonly removed: readonly Address[]
}

/** Addresses of both sides: what is missing is added in the order that gives the listing of the goal. */
export function convergeAddresses(from: NetworkState, to: NetworkState, sides: Sides): AddressShare {
  const shares = devsOf(sides).flatMap((dev) =>
    ([4, 6] as const).map((family) => {
      const of = (state: NetworkState): readonly Address[] =>
        state.addresses.filter((item) => item.dev === dev && item.family === family && !isTemporary(item))
      return convergeList(of(from), of(to))
    }),
  )
  return {
    add: shares.flatMap((share) => share.add),
    change: shares.flatMap((share) => share.change),
    remove: shares.flatMap((share) => share.remove),
    added: shares.flatMap((share) => share.added),
    changed: shares.flatMap((share) => share.changed),
    removed: shares.flatMap((share) => share.removed),
  }
}

/** One link, one family. */
function convergeList(now: readonly Address[], goal: readonly Address[]): AddressShare {
  const wanted = new Map(goal.map((address) => [addressId(address), address]))
  const present = new Map(now.map((address) => [addressId(address), address]))
  const removed = now.filter((address) => !wanted.has(addressId(address)) || mustBeMadeAnew(address, wanted))
  const gone = new Set(removed.map(addressId))
  const added = goal.filter((address) => !present.has(addressId(address)) || gone.has(addressId(address)))
  const again = new Set(added.map(addressId))
  const changed = goal.filter((address) => {
    const actual = present.get(addressId(address))
    return actual !== undefined && !gone.has(addressId(address)) && !isSame(actual, address)
  })
  const replaced = removed.filter((address) => again.has(addressId(address)))
  return {
    add: [
      ...deletions(replaced),
      ...inOrderOfAdding(added).map((address): Step => ({ op: 'addr.add', address })),
    ],
    change: changed.map((address) => ({ op: 'addr.change', address })),
    remove: deletions(removed.filter((address) => !again.has(addressId(address)))),
    added,
    changed,
    removed,
  }
}

const isSame = (actual: Address, wanted: Address): boolean =>
  addressTraits(actual) === addressTraits(wanted) &&
  livesAsLong(actual.validUntil, wanted.validUntil) &&
  livesAsLong(actual.preferredUntil, wanted.preferredUntil)

/** IPv4 changes nothing but lifetimes and the metric of an address that exists (inet_rtm_newaddr()). */
function mustBeMadeAnew(actual: Address, wanted: ReadonlyMap<string, Address>): boolean {
  const goal = wanted.get(addressId(actual))
  if (goal === undefined) return true
  const fixed = (address: Address): string => addressTraits({ ...address, metric: undefined })
  return actual.family === 4 && fixed(actual) !== fixed(goal)
}

/**
 * inet_insert_ifa() puts a new IPv4 address behind those of its kind, ipv6_link_dev_addr() a new IPv6 address
 * before those of its scope: so IPv6 addresses are added last-listed first.
 */
const inOrderOfAdding = (addresses: readonly Address[]): readonly Address[] =>
  addresses[0]?.family === 6 ? [...addresses].reverse() : addresses

/**
 * The other way round, so that a run that stops half-way can be taken back in order. IPv4 secondaries thus go
 * before their primary, which would take them along.
 */
const deletions = (addresses: readonly Address[]): readonly Step[] =>
  [...inOrderOfAdding(addresses)].reverse().map((address) => ({ op: 'addr.del', address }))
