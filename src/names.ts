import { isIPv4, isIPv6 } from 'node:net'
import { usageError } from './errors.ts'

declare const proof: unique symbol
type Proven<Name extends string> = string & { readonly [proof]: Name }

/** A name that the kernel accepts for a link and that `ip -batch` reads as one word. */
export type LinkName = Proven<'LinkName'>
export type Family = 4 | 6

export interface IpAddress {
  readonly family: Family
  /** Canonical text, as `ip` prints it. */
  readonly text: string
}

/** An address with the length of its prefix; host bits are kept. */
export interface Cidr extends IpAddress {
  readonly prefixLength: number
}

/** `192.168.40.9:80` or `[fd40::9]:80`. */
export interface Endpoint extends IpAddress {
  readonly port: number
}

/** A port of the host that leads to a guest. */
export interface Forward {
  readonly protocol: 'tcp' | 'udp'
  readonly port: number
  readonly to: Endpoint
}

export interface DhcpRange {
  readonly first: IpAddress
  readonly last: IpAddress
}

/** A guest that is known by its MAC address. */
export interface KnownGuest {
  /** Lower case, colons. */
  readonly mac: string
  readonly name: string
  readonly address: IpAddress | undefined
}

/** What is asked for the port of one guest. */
export interface PortWish {
  readonly isolated: boolean
  readonly hairpin: boolean
  /** The guest's; others are neither learned behind it, nor is what is for them sent there. */
  readonly mac: string | undefined
  /** What the guest sends without a tag is of this VLAN, and comes back without one. */
  readonly pvid: number | undefined
  /** VLANs of which the guest gets and sends tagged frames. */
  readonly trunk: readonly number[]
}

const longestName = 15

/**
 * Why the text is no usable link name, or `undefined` if it is one. The first four rules are those of
 * dev_valid_name() in net/core/dev.c; the last is what `ip -batch` would read as syntax.
 */
const linkNameFault = (text: string): string | undefined => {
  if (text === '') return 'is empty'
  if (Buffer.byteLength(text) > longestName) return `is longer than ${longestName} bytes`
  if (text === '.' || text === '..') return 'is no name'
  if (text === 'all' || text === 'default') return 'is a name that the kernel keeps for itself'
  if (text.includes('%')) return 'holds a %, which the kernel reads as a pattern'
  if (/[/:\s]/u.test(text)) return 'holds a blank, a slash or a colon'
  if (/["'#\\]/u.test(text) || text.startsWith('-')) return 'holds what `ip -batch` reads as syntax'
  if (/\p{Cc}/u.test(text)) return 'holds a control character'
  return undefined
}

/** Throws a usage error (exit 2) that names `what` unless the text is a link name. */
export function linkName(text: string, what = 'interface'): LinkName {
  const fault = linkNameFault(text)
  if (fault !== undefined) throw usageError(`${what} ${JSON.stringify(text)} ${fault}`)
  return text as LinkName
}

export const isLinkName = (text: string): text is LinkName => linkNameFault(text) === undefined

const byteCount = (family: Family): number => (family === 4 ? 4 : 16)

/** IPv4 or IPv6 text -> bytes, network order; the caller has checked it with isIPv4 or isIPv6. */
function bytesOf(address: Pick<IpAddress, 'family' | 'text'>): readonly number[] {
  if (address.family === 4) return address.text.split('.').map(Number)
  const [head = '', tail] = address.text.split('::')
  const front = bytesOfWords(head)
  if (tail === undefined) return front
  const back = bytesOfWords(tail)
  return [...front, ...new Array<number>(16 - front.length - back.length).fill(0), ...back]
}

const bytesOfWords = (text: string): readonly number[] =>
  text.split(':').flatMap((word) => {
    if (word === '') return []
    if (word.includes('.')) return word.split('.').map(Number)
    const value = Number.parseInt(word, 16)
    return [value >> 8, value & 0xff]
  })

/** RFC 5952, and dotted quads exactly where glibc's inet_ntop() (so `ip`) writes them. */
function textOf(bytes: readonly number[]): string {
  if (bytes.length === 4) return bytes.join('.')
  const words = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0))
  const zeros = longestZeros(words)
  const dotted = zeros.start === 0 && (zeros.length === 6 || (zeros.length === 5 && words[5] === 0xffff))
  if (dotted) return `::${zeros.length === 5 ? 'ffff:' : ''}${bytes.slice(12).join('.')}`
  const hex = words.map((word) => word.toString(16))
  if (zeros.length < 2) return hex.join(':')
  return `${hex.slice(0, zeros.start).join(':')}::${hex.slice(zeros.start + zeros.length).join(':')}`
}

function longestZeros(words: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 }
  let length = 0
  words.forEach((word, i) => {
    length = word === 0 ? length + 1 : 0
    if (length > best.length) best = { start: i - length + 1, length }
  })
  return best
}

/** Canonical form of an address without zone (`%eth0`) and without prefix; `undefined` if it is none. */
export function parseIp(text: string): IpAddress | undefined {
  if (isIPv4(text)) return { family: 4, text }
  if (!isIPv6(text) || text.includes('%')) return undefined
  return { family: 6, text: textOf(bytesOf({ family: 6, text })) }
}

/**
 * `192.168.1.5/24` or `fd00::5/64`, host bits kept; `text` of the result is the address alone.
 * Throws a usage error that names `what`, the text as given and what is wrong with it.
 */
export function parseCidr(text: string, what = 'address'): Cidr {
  const given = `${what} ${JSON.stringify(text)}`
  const slash = text.indexOf('/')
  const ip = parseIp(slash < 0 ? text : text.slice(0, slash))
  if (ip === undefined) throw usageError(`${given} is not an IP address with a prefix length`, example)
  if (slash < 0) throw usageError(`${given} has no prefix length`, example)
  const digits = text.slice(slash + 1)
  const longest = 8 * byteCount(ip.family)
  if (!/^(?:0|[1-9]\d{0,2})$/u.test(digits) || Number(digits) > longest)
    throw usageError(`${given} has a prefix length that is not between 0 and ${longest}`, example)
  return { ...ip, prefixLength: Number(digits) }
}

const example = 'such as 192.168.1.5/24 or fd00::5/64'

/** A CIDR that an interface can have: no group, no unspecified, network or broadcast address. */
export function parseHostCidr(text: string, what = 'address'): Cidr {
  const cidr = parseCidr(text, what)
  const fault = unicastFault(cidr) ?? subnetFault(cidr)
  if (fault !== undefined) throw usageError(`${what} ${JSON.stringify(text)} ${fault}`)
  return cidr
}

/** An address that packets can be sent to a router by. Throws a usage error that names `what`. */
export function parseGateway(text: string, what = 'gateway'): IpAddress {
  const ip = parseIp(text)
  if (ip === undefined) throw usageError(`${what} ${JSON.stringify(text)} is not an IP address`)
  const fault = unicastFault(ip)
  if (fault !== undefined) throw usageError(`${what} ${JSON.stringify(text)} ${fault}`)
  return ip
}

/** `192.168.40.9:80` or `[fd40::9]:80`. Throws a usage error that names `what`. */
export function parseEndpoint(text: string, what = 'endpoint'): Endpoint {
  const given = `${what} ${JSON.stringify(text)}`
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:]*)):([1-9]\d{0,4})$/u.exec(text) ?? []
  const ip = parseIp(bracketed ?? plain ?? '')
  if (ip?.family !== (bracketed === undefined ? 4 : 6) || Number(digits) > 65535)
    throw usageError(`${given} is not an address and a port`)
  const fault = unicastFault(ip)
  if (fault !== undefined) throw usageError(`${given} ${fault}`)
  return { ...ip, port: Number(digits) }
}

export const endpointText = ({ family, text, port }: Endpoint): string =>
  family === 4 ? `${text}:${port}` : `[${text}]:${port}`

/** `192.168.40.50,192.168.40.150`. Throws a usage error that names `what`. */
export function parseDhcpRange(text: string, what = 'range'): DhcpRange {
  const given = `${what} ${JSON.stringify(text)}`
  const [first, last, ...others] = text.split(',').map(parseIp)
  if (first?.family !== 4 || last?.family !== 4 || others.length > 0)
    throw usageError(`${given} is not a pair of IPv4 addresses`, 'such as 192.168.40.50,192.168.40.150')
  const fault = unicastFault(first) ?? unicastFault(last)
  if (fault !== undefined) throw usageError(`${given} ${fault}`)
  if (numberOf(first) > numberOf(last)) throw usageError(`${given} ends before it begins`)
  return { first, last }
}

/** The address lies between the ends, or is one of them. */
export const isInRange = ({ first, last }: DhcpRange, ip: IpAddress): boolean =>
  ip.family === 4 && numberOf(first) <= numberOf(ip) && numberOf(ip) <= numberOf(last)

const numberOf = (ip: IpAddress): number => bytesOf(ip).reduce((number, byte) => number * 256 + byte, 0)

/** An Ethernet address of one host, in lower case. Throws a usage error that names `what`. */
export function parseMac(text: string, what = 'MAC address'): string {
  const given = `${what} ${JSON.stringify(text)}`
  if (!/^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/iu.test(text)) throw usageError(`${given} is not a MAC address`)
  if (Number.parseInt(text.slice(0, 2), 16) % 2 === 1) throw usageError(`${given} is that of a group`)
  return text.toLowerCase()
}

/** One label of a host's name (RFC 1123) that dnsmasq takes for nothing else. Throws a usage error that names `what`. */
export function parseHostName(text: string, what = 'name'): string {
  const given = `${what} ${JSON.stringify(text)}`
  if (!/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/iu.test(text))
    throw usageError(`${given} is not the name of a host`)
  if (/^(?:ignore|infinite|\d+[smhdw]?)$/iu.test(text)) throw usageError(`${given} is a word of dnsmasq`)
  return text.toLowerCase()
}

function unicastFault(ip: IpAddress): string | undefined {
  const bytes = bytesOf(ip)
  const first = bytes[0] ?? 0
  if (bytes.every((byte) => byte === 0)) return 'is the unspecified address'
  if (ip.family === 4 ? first >= 224 && first < 240 : first === 0xff) return 'is a multicast address'
  if (ip.family === 4 ? first === 127 : ip.text === '::1') return 'is a loopback address'
  if (ip.text === '255.255.255.255') return 'is the broadcast address'
  return undefined
}

/** Why an address cannot be that of a host in its subnet. */
export function subnetFault(cidr: Cidr): string | undefined {
  if (cidr.family !== 4 || cidr.prefixLength >= 31) return undefined
  if (cidr.prefixLength === 0) return 'has the whole Internet as its subnet'
  const bits = hostBits(cidr)
  if (bits.every(({ value }) => value === 0)) return 'is the address of its whole subnet, not of a host'
  if (bits.every(({ value, mask }) => value === mask)) return 'is the broadcast address of its subnet'
  return undefined
}

/** The part of each byte that lies below the prefix. */
const hostBits = (cidr: Cidr): readonly { value: number; mask: number }[] =>
  bytesOf(cidr).map((byte, i) => {
    const mask = 0xff >> Math.min(8, Math.max(0, cidr.prefixLength - 8 * i))
    return { value: byte & mask, mask }
  })

const networkBytes = (cidr: Cidr): readonly number[] => {
  const host = hostBits(cidr)
  return bytesOf(cidr).map((byte, i) => byte - (host[i]?.value ?? 0))
}

/** Whether the address lies in the subnet; never for another family. */
export const contains = (cidr: Cidr, ip: IpAddress): boolean =>
  cidr.family === ip.family && networkOf(cidr) === networkOf({ ...ip, prefixLength: cidr.prefixLength })

/** The subnet's canonical text: `192.168.1.0/24` for 192.168.1.5/24. */
export const networkOf = (cidr: Cidr): string => `${textOf(networkBytes(cidr))}/${cidr.prefixLength}`
