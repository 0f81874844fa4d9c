import { contains, isInRange, networkOf, subnetFault } from '../names.ts'
import type { Cidr, DhcpRange, KnownGuest } from '../names.ts'
import { findLink, type NetworkState } from '../state.ts'
import type { Difference } from './compare.ts'
import type { Share } from './converge.ts'
import { isMove, nameOf, type Sides } from './footprint.ts'

/** The dnsmasq that gives the guests of one bridge addresses and names. Its command line is its whole configuration, so that shows what runs. */

interface DnsmasqOptions {
  readonly bridge: string
  readonly addresses: readonly Cidr[]
  readonly nat: boolean
  readonly dhcpRange: DhcpRange | undefined
  readonly guests: readonly KnownGuest[]
  /** Where its leases and its pid are kept, an absolute path. */
  readonly runDir: string
  /** That of the bridge, where it is not Ethernet's. */
  readonly mtu: number | undefined
}

const leaseTime = '1h'

/** `undefined` where guests look after their addresses themselves. */
export function dnsmasqWords(options: DnsmasqOptions): readonly string[] | undefined {
  const { bridge, addresses, nat, dhcpRange, guests, runDir, mtu } = options
  if (dhcpRange === undefined) return undefined
  const hasIpv6 = addresses.some(({ family }) => family === 6)
  return [
    interfaceWord(bridge),
    ...['--conf-file=/dev/null', `--pid-file=${runDir}/dnsmasq-${bridge}.pid`, '--no-hosts'],
    // Only so it looks where a query came in (CVE-2012-3411).
    ...['--bind-dynamic', '--except-interface=lo'],
    ...['--domain-needed', '--bogus-priv', '--no-ping', '--dhcp-authoritative', '--dhcp-no-override'],
    ...['--quiet-dhcp', '--quiet-dhcp6', '--quiet-ra'],
    `--dhcp-leasefile=${runDir}/leases-${bridge}`,
    `--dhcp-range=${dhcpRange.first.text},${dhcpRange.last.text},${leaseTime}`,
    ...(hasIpv6
      ? ['--enable-ra', `--dhcp-range=::1000,::1fff,constructor:${bridge},slaac,64,${leaseTime}`]
      : []),
    ...(nat ? [] : isolatedWords(bridge, hasIpv6)),
    ...(mtu === undefined ? [] : [`--dhcp-option=option:mtu,${mtu}`]),
    ...guests.flatMap(guestWords),
  ]
}

const interfaceWord = (bridge: string): string => `--interface=${bridge}`

/** There is no way beyond the bridge: its guests are told of no router, and nobody is asked for them. */
const isolatedWords = (bridge: string, hasIpv6: boolean): readonly string[] => [
  '--no-resolv',
  '--dhcp-option=option:router',
  ...(hasIpv6 ? [`--ra-param=${bridge},0,0`] : []),
]

function guestWords({ mac, name, address }: KnownGuest): readonly string[] {
  if (address === undefined) return [`--dhcp-host=${mac},${name}`]
  const text = address.family === 4 ? address.text : `[${address.text}]`
  return [`--dhcp-host=${mac},${name},${text}`, `--host-record=${name},${address.text}`]
}

/** What a dnsmasq gives to guests. */
export interface Serving {
  readonly first: string
  readonly last: string
  readonly hasIpv6: boolean
  readonly guests: readonly {
    readonly mac: string
    readonly name: string
    readonly address: string | undefined
  }[]
}

/** The way back from its words. */
export function servedBy(words: readonly string[]): Serving | undefined {
  const values = (name: string): readonly string[] =>
    words.flatMap((word) => (word.startsWith(`--${name}=`) ? [word.slice(name.length + 3)] : []))
  const [first, last] =
    values('dhcp-range')
      .find((range) => !range.startsWith('::'))
      ?.split(',') ?? []
  if (first === undefined || last === undefined) return undefined
  const guests = values('dhcp-host').map((host) => {
    const [mac = '', name = '', address] = host.split(',')
    return { mac, name, address: address?.replace(/^\[(.*)\]$/u, '$1') }
  })
  return { first, last, hasIpv6: words.includes('--enable-ra'), guests }
}

type Words = readonly string[] | undefined

/** Something that is no server serves nobody: it is never what should be. */
const wantedWords = ({ dnsmasq }: NetworkState): Words => (dnsmasq?.length === 0 ? undefined : dnsmasq)

const isSame = (a: Words, b: Words): boolean => JSON.stringify(a) === JSON.stringify(b)

/** It starts when the bridge is whole, and ends first. Its sockets are bound to one link: a bridge that is made anew needs a new one. */
export function convergeDnsmasq(from: NetworkState, to: NetworkState, sides: Sides): Share {
  const bridge = nameOf(sides)
  const [before, after] = [from.dnsmasq, wantedWords(to)]
  const isMade = findLink(from, sides.bridge) === undefined && findLink(to, sides.bridge) !== undefined
  if (isMove(sides) || (isSame(before, after) && !isMade)) return { first: [], last: [] }
  return {
    first: before === undefined ? [] : [{ op: 'dnsmasq.stop', bridge }],
    last: after === undefined ? [] : [{ op: 'dnsmasq.start', bridge, words: after }],
  }
}

export function compareDnsmasq(
  actual: NetworkState,
  goal: NetworkState,
  sides: Sides,
): readonly Difference[] {
  const bridge = nameOf(sides)
  const [found, wanted] = [actual.dnsmasq, wantedWords(goal)]
  if (isMove(sides) || isSame(found, wanted)) return []
  const what = `dnsmasq of ${bridge}`
  if (found === undefined) return [`missing: ${what}`]
  return [wanted === undefined ? `too much: ${what}` : `different: ${what}`]
}

/** Why the guests cannot be served so. */
export function dnsmasqFault(
  options: Pick<DnsmasqOptions, 'bridge' | 'dhcpRange' | 'addresses' | 'guests'>,
): string | undefined {
  const { bridge, dhcpRange, addresses, guests } = options
  if (dhcpRange === undefined)
    return guests.length === 0 ? undefined : 'its guests are known, but nobody gives them addresses'
  if (!/^[\w.-]+$/u.test(bridge)) return 'dnsmasq takes such a name for a pattern'
  const other = addresses.find(({ family, prefixLength }) => family === 6 && prefixLength !== 64)
  if (other !== undefined) return `${networkOf(other)} is no /64, in which guests could make addresses`
  return rangeFault(dhcpRange, addresses) ?? guestsFault(guests, addresses, dhcpRange)
}

function rangeFault(range: DhcpRange, addresses: readonly Cidr[]): string | undefined {
  const { first, last } = range
  const subnet = addresses.find((cidr) => contains(cidr, first) && contains(cidr, last))
  if (subnet === undefined) return `${first.text},${last.text} is in no subnet of it`
  for (const end of [first, last]) {
    const fault = subnetFault({ ...end, prefixLength: subnet.prefixLength })
    if (fault !== undefined) return `${end.text} ${fault}`
  }
  const own = addresses.find((address) => isInRange(range, address))
  return own && `${first.text},${last.text} holds ${own.text}, its own address`
}

/** dnsmasq would pass over such a guest in silence. */
function guestsFault(
  guests: readonly KnownGuest[],
  addresses: readonly Cidr[],
  { first }: DhcpRange,
): string | undefined {
  const served = addresses.filter((cidr) => cidr.family === 6 || contains(cidr, first))
  for (const { name, address } of guests) {
    if (address === undefined) continue
    const subnet = served.find((cidr) => contains(cidr, address))
    if (subnet === undefined) return `the address of its guest ${name} is in no subnet that is served`
    const fault = addresses.some(({ text }) => text === address.text)
      ? 'is its own'
      : subnetFault({ ...address, prefixLength: subnet.prefixLength })
    if (fault !== undefined) return `the address of its guest ${name}, ${address.text}, ${fault}`
  }
  return undefined
}
