import { addressesOf, findLink, type Address, type NetworkState } from '../state.ts'
import type { Step } from '../step.ts'
import { isAdvertisedAddress, isTemporary } from './addresses.ts'
import type { Move } from './footprint.ts'
import { isOnDev, prefixRoutes } from './routes.ts'

/**
 * A port that leaves its bridge is announced as a link that goes (br_ifinfo_notify()), and systemd-resolved takes that by its word: it
 * forgets the link, what it was told of it, and its addresses; a moment later it is announced as a new one. It then reads again what
 * it was told, if it could not remove that, but hears of addresses only when they are changed.
 */

interface AtSwitch {
  /** Before the uplink leaves, in between, and after it. */
  readonly before: readonly Step[]
  readonly among: readonly Step[]
  readonly after: readonly Step[]
  /** Of the other addresses, when there is time for it. */
  readonly later: readonly Step[]
}

export function resolvedAtSwitch(ready: NetworkState, { uplink }: Move): AtSwitch {
  if (ready.resolved === undefined) return { before: [], among: [], after: [], later: [] }
  const told = ready.resolved.find(({ dev }) => dev === uplink)
  const index = findLink(ready, uplink)?.index ?? 0
  const [first, ...others] = announced(ready, uplink).map((address): Step => ({ op: 'addr.change', address }))
  return {
    before: told === undefined ? [] : [{ op: 'dns.hold', dev: uplink }],
    among: first === undefined ? [] : [first],
    after: told === undefined ? [] : [{ op: 'dns.release', index, ...told }],
    later: others,
  }
}

/** One by which servers can be reached comes first. Not those that the kernel has made: routers advertise them again. */
function announced(state: NetworkState, dev: string): readonly Address[] {
  const all = addressesOf(state, dev).filter(
    (address) =>
      !isTemporary(address) && !isAdvertisedAddress(address) && !isOneOfSeveral(state, dev, address),
  )
  const isReaching = ({ scope }: Address): boolean => scope === 'global'
  return all.toSorted((a, b) => Number(isReaching(b)) - Number(isReaching(a)) || a.family - b.family)
}

/** A change of an IPv6 address is one of the first prefix route that fits, which may be another's. */
function isOneOfSeveral(state: NetworkState, dev: string, address: Address): boolean {
  if (address.family === 4) return false
  const prefixes = new Set(prefixRoutes({ ...address, flags: [] }).map(({ dst }) => dst))
  return (
    state.routes.filter(
      (route) =>
        route.family === 6 && route.table === 'main' && prefixes.has(route.dst) && isOnDev(route, [dev]),
    ).length > 1
  )
}
