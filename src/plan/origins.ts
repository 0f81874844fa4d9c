import { clientWords } from '../client-words.ts'
import { contains, parseIp, type Family } from '../names.ts'
import { addressesOf, findLink, sysctlOf, type Address, type NetworkState } from '../state.ts'
import { isAdvertisedAddress, isTemporary } from './addresses.ts'
import type { Sides } from './footprint.ts'
import { isOnDev, ownProtocol } from './routes.ts'

/** Where the addresses of a link come from: what a DHCP server gives or a router advertises comes again by itself. */

export interface Origins {
  /** Those that somebody gave it, in order. */
  readonly own: readonly Address[]
  /** Those from a DHCP server. */
  readonly leased: readonly Address[]
  /** The families for which somebody asks a server. */
  readonly dhcp: readonly Family[]
  readonly notes: readonly string[]
}

/** Whether the link takes what routers advertise, and whether one does. */
export type Advertisements = 'used' | 'heard' | 'ignored'

export function originsOf(state: NetworkState, sides: Sides): Origins {
  const { bridge } = sides
  const given = addressesOf(state, bridge).filter(
    (address) => !isOfRouter(address, state) && !isOfKernel(address, state, sides),
  )
  const finite = given.filter(({ validUntil }) => validUntil !== undefined)
  const asked = (family: Family): boolean => clientsOf(state, bridge, family).length > 0
  const isDhcp = (each: Family): boolean => finite.some(({ family }) => family === each) || asked(each)
  // A script may give a lease no end.
  const endless = asked(4) && !finite.some(({ family }) => family === 4) ? endlessLease(given, state) : []
  const leased = [...finite, ...endless]
  const unknown = asked(4) && !leased.some(({ family }) => family === 4)
  return {
    own: given.filter((address) => !leased.includes(address)),
    leased,
    dhcp: ([4, 6] as const).filter(isDhcp),
    notes:
      unknown && given.some(({ family }) => family === 4)
        ? ['mind: which IPv4 address the DHCP client has cannot be told; all are written down as well']
        : [],
  }
}

const clientsOf = (state: NetworkState, link: string, family: Family) =>
  (state.clients ?? []).filter(
    ({ dev, families, ended }) => dev === link && families.includes(family) && ended !== true,
  )

/** The one that the client asks for, or the only one that there is. */
function endlessLease(given: readonly Address[], state: NetworkState): readonly Address[] {
  const first = given.filter(({ family, status }) => family === 4 && !status.includes('secondary'))
  const wanted = (state.clients ?? []).flatMap(
    ({ name, words }) => clientWords(name, words)?.own.get('-r') ?? [],
  )
  const told = first.filter(({ local }) => wanted.includes(local))
  return told.length > 0 ? told : first.length === 1 ? first : []
}

/** Made from an advertised prefix, by the kernel or by a daemon that listens in its place. */
function isOfRouter(address: Address, state: NetworkState): boolean {
  if (address.family === 4 || address.validUntil === undefined) return false
  if (isTemporary(address) || isAdvertisedAddress(address)) return true
  const { dev, local, prefixLength } = address
  if (prefixLength === 128) return false
  const ip = parseIp(local)
  const inAdvertised = addressesOf(state, dev).some(
    (other) =>
      isAdvertisedAddress(other) &&
      ip !== undefined &&
      contains({ family: 6, text: other.local, prefixLength: other.prefixLength }, ip),
  )
  return inAdvertised || hasAdvertisedRoute(state, dev)
}

/** The kernel's own, or one of ours that stands in for it. */
const hasAdvertisedRoute = (state: NetworkState, dev: string): boolean =>
  state.routes.some(
    (route) =>
      route.family === 6 &&
      isOnDev(route, [dev]) &&
      (route.protocol === 'ra' || (route.protocol === ownProtocol && route.expiresAt !== undefined)),
  )

/** A link-local address that the kernel makes from the MAC address, or from a secret. */
function isOfKernel(
  { family, scope, local }: Address,
  state: NetworkState,
  { uplink, bridge }: Sides,
): boolean {
  if (family === 4 || scope !== 'link') return false
  const links = [bridge, uplink].filter((name) => name !== undefined)
  const isSecret = links
    .flatMap((name) => addressesOf(state, name))
    .some((other) => other.local === local && other.status.includes('stable-privacy'))
  return isSecret || local === linkLocalOf(findLink(state, bridge)?.mac ?? '')
}

/** Modified EUI-64 (RFC 4291, appendix A), in canonical text. */
function linkLocalOf(mac: string): string | undefined {
  const [first = 0, ...others] = mac.split(':').map((byte) => Number.parseInt(byte, 16))
  const bytes = [first ^ 2, ...others.slice(0, 2), 0xff, 0xfe, ...others.slice(2)]
  const hex = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('')
  return parseIp(`fe80::${hex.match(/..../g)?.join(':') ?? ''}`)?.text
}

export function advertisementsOf(state: NetworkState, dev: string): Advertisements {
  if (hasAdvertisedRoute(state, dev) || addressesOf(state, dev).some((each) => isOfRouter(each, state)))
    return 'used'
  const value = (key: string): string | undefined => sysctlOf(state, { family: 6, dev, key })
  const accepts = value('accept_ra') ?? '0'
  return accepts === '2' || (accepts === '1' && value('forwarding') !== '1') ? 'heard' : 'ignored'
}
