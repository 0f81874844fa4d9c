import { contains, networkOf, type Cidr, type DhcpRange, type KnownGuest } from '../names.ts'
import type { NetworkState } from '../state.ts'
import type { Difference } from './compare.ts'
import type { Share } from './converge.ts'
import { isMove, type Sides } from './footprint.ts'

/** The dnsmasq that gives the guests of one bridge addresses and names. Its command line is its whole configuration, so that shows what runs. */

interface DnsmasqOptions {
  readonly bridge: string
  readonly addresses: readonly Cidr[]
  readonly nat: boolean
  readonly dhcpRange: DhcpRange | undefined
  readonly guests: readonly KnownGuest[]
  /** Where its leases are kept, an absolute path. */
  readonly leases: string
}

const leaseTime = '1h'

/** `undefined` where guests look after their addresses themselves. */
export function dnsmasqWords(options: DnsmasqOptions): readonly string[] | undefined {
  const { bridge, addresses, nat, dhcpRange, guests, leases } = options
  if (dhcpRange === undefined) return undefined
  const hasIpv6 = addresses.some(({ family }) => family === 6)
  return [
    interfaceWord(bridge),
    ...['--conf-file=/dev/null', '--pid-file=', '--bind-interfaces', '--except-interface=lo', '--no-hosts'],
    ...['--domain-needed', '--bogus-priv', '--no-ping', '--dhcp-authoritative', '--dhcp-no-override'],
    ...['--quiet-dhcp', '--quiet-dhcp6', '--quiet-ra'],
    `--dhcp-leasefile=${leases}`,
    `--dhcp-range=${dhcpRange.first.text},${dhcpRange.last.text},${leaseTime}`,
    ...(hasIpv6
      ? ['--enable-ra', `--dhcp-range=::1000,::1fff,constructor:${bridge},slaac,64,${leaseTime}`]
      : []),
    ...(nat ? [] : isolatedWords(bridge, hasIpv6)),
    ...guests.flatMap(guestWords),
  ]
}

const interfaceWord = (bridge: string): string => `--interface=${bridge}`

/** There is no way beyond the bridge: its guests are told of no router. */
const isolatedWords = (bridge: string, hasIpv6: boolean): readonly string[] => [
  '--dhcp-option=option:router',
  ...(hasIpv6 ? [`--ra-param=${bridge},0,0`] : []),
]

function guestWords({ mac, name, address }: KnownGuest): readonly string[] {
  if (address === undefined) return [`--dhcp-host=${mac},${name}`]
  const text = address.family === 4 ? address.text : `[${address.text}]`
  return [`--dhcp-host=${mac},${name},${text}`, `--host-record=${name},${address.text}`]
}

const isSame = (a: readonly string[] | undefined, b: readonly string[] | undefined): boolean =>
  JSON.stringify(a) === JSON.stringify(b)

/** It starts when the bridge is whole, and ends first. */
export function convergeDnsmasq(from: NetworkState, to: NetworkState, sides: Sides): Share {
  const { bridge } = sides
  const [before, after] = [from.dnsmasq, to.dnsmasq]
  if (isMove(sides) || isSame(before, after)) return { first: [], last: [] }
  return {
    first: before === undefined ? [] : [{ op: 'dnsmasq.stop', bridge }],
    last: after === undefined ? [] : [{ op: 'dnsmasq.start', words: after }],
  }
}

export function compareDnsmasq(
  actual: NetworkState,
  goal: NetworkState,
  sides: Sides,
): readonly Difference[] {
  const { bridge } = sides
  const [found, wanted] = [actual.dnsmasq, goal.dnsmasq]
  if (isMove(sides) || isSame(found, wanted)) return []
  const what = `dnsmasq of ${bridge}`
  if (found === undefined) return [`missing: ${what}`]
  return [wanted === undefined ? `too much: ${what}` : `different: ${what}`]
}

/** Why the guests cannot be served so. */
export function dnsmasqFault({
  dhcpRange,
  addresses,
  guests,
}: Pick<DnsmasqOptions, 'dhcpRange' | 'addresses' | 'guests'>): string | undefined {
  if (dhcpRange === undefined)
    return guests.length === 0 ? undefined : 'its guests are known, but nobody gives them addresses'
  const { first, last } = dhcpRange
  if (!addresses.some((cidr) => contains(cidr, first) && contains(cidr, last)))
    return `${first.text},${last.text} is in no subnet of it`
  const other = addresses.find(({ family, prefixLength }) => family === 6 && prefixLength !== 64)
  if (other !== undefined) return `${networkOf(other)} is no /64, in which guests could make addresses`
  const stranger = guests.find(({ address }) => address && !addresses.some((cidr) => contains(cidr, address)))
  return stranger === undefined
    ? undefined
    : `the address of its guest ${stranger.name} is in no subnet of it`
}
