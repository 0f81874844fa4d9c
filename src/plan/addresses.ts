import { networkOf } from '../names.ts'
import { scopeNumber } from '../protocols.ts'
import type { Address } from '../state.ts'

/** What tells one address of a link from another. */
export const addressId = (address: Address): string =>
  `${address.family} ${address.dev} ${address.local} ${address.peer ?? ''}/${address.prefixLength}`

/** The same, and whether it is a secondary: those have no prefix route. */
export const rankedId = (address: Address): string =>
  `${addressId(address)} ${String(address.status.includes('secondary'))}`

/** Made by the kernel from a prefix (RFC 8981), and made anew when it is missed. */
export const isTemporary = (address: Address): boolean => address.status.includes('temporary')

/** The kernel makes it from an advertised prefix (addrconf_prefix_rcv_add_addr()), at any moment. An old `ip` tells no protocol. */
export const isAdvertisedAddress = ({ flags, protocol, validUntil }: Address): boolean =>
  flags.includes('mngtmpaddr') && validUntil !== undefined && (protocol ?? 'kernel_ra') === 'kernel_ra'

/** The kernel makes it by itself, from the link's own identity or from an advertisement. */
export const isAutomatic = (address: Address): boolean =>
  isTemporary(address) || isAdvertisedAddress(address) || (address.family === 6 && address.scope === 'link')

export const subnetOf = ({ family, local, peer, prefixLength }: Address): string =>
  networkOf({ family, text: peer ?? local, prefixLength })

/** IPv4: each further address of a subnet is a secondary of the first (inet_insert_ifa()). */
export function withSecondaries(addresses: readonly Address[]): readonly Address[] {
  const subnets = new Set<string>()
  return addresses.map((address) => {
    if (address.family === 6) return address
    const subnet = `${address.dev} ${subnetOf(address)}`
    const status = subnets.has(subnet) ? ['secondary'] : []
    subnets.add(subnet)
    return { ...address, status }
  })
}

/** What has to be equal between two sights of one address, lifetimes apart. */
export const addressTraits = (address: Address): string =>
  JSON.stringify([
    address.broadcast, address.anycast, address.scope, address.label, address.metric, address.protocol,
    [...address.flags].sort(), address.status.includes('secondary'),
  ]) // prettier-ignore

/** Seconds by which two readings of one lifetime may differ: each is rounded, and each is taken a while apart. */
const tolerance = 5

/** Whether a lifetime is at least what it should be. A router or a DHCP server may have lengthened it meanwhile. */
export function livesAsLong(actual: number | undefined, wanted: number | undefined): boolean {
  if (actual === undefined || wanted === undefined) return actual === wanted
  return actual >= wanted - tolerance
}

/** Whether a lifetime is over by now, or as good as over. */
export const hasExpired = (until: number | undefined, at: number): boolean =>
  until !== undefined && until <= at + tolerance

/** IFNAMSIZ without its end. */
const longestLabel = 15

/** The same address on another link; a label keeps its suffix (eth0:1 <-> br0:1) where it still fits. */
export function moveAddress(address: Address, dev: string): Address {
  const { label } = address
  if (label === undefined) return { ...address, dev }
  const suffix = label.startsWith(address.dev) ? label.slice(address.dev.length) : ''
  const moved = `${dev}${suffix}`
  return { ...address, dev, label: moved.length > longestLabel ? dev : moved }
}

/** The order in which a link lists its addresses. inet_insert_ifa(): wider scopes and secondaries behind; ipv6_link_dev_addr(): global before link. */
export function inKernelOrder(a: Address, b: Address): number {
  const rank = ({ scope }: Address): number => -Number(scopeNumber(scope))
  if (a.family !== b.family) return a.family - b.family
  if (a.family === 6) return rank(b) - rank(a)
  const secondary = (address: Address): number => Number(address.status.includes('secondary'))
  return secondary(a) - secondary(b) || (secondary(a) === 0 ? rank(a) - rank(b) : 0)
}
