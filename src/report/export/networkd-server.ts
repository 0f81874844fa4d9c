import { networkOf } from '../../names.ts'
import type { Permanent } from '../../plan/permanent.ts'
import type { Address } from '../../state.ts'
import { section } from './exported.ts'
import { numberOf } from './numbers.ts'
import { inOrder } from './order.ts'

/** The address in whose subnet guests get theirs. */
const serverAddress = ({ serving, addresses }: Permanent): Address | undefined =>
  addresses.find(({ family, prefixLength, local }) => {
    const size = 2 ** (32 - prefixLength)
    const subnet = (address: string): number => Math.floor(numberOf(address) / size)
    return family === 4 && serving !== undefined && subnet(local) === subnet(serving.first)
  })

/** networkd serves by its first one, and would add another that it is told to serve by. */
export function byServer(permanent: Permanent): readonly Address[] {
  const own = serverAddress(permanent)
  const others = inOrder(permanent.addresses).filter((address) => address !== own)
  return own === undefined ? others : [own, ...others]
}

/** networkd's own servers in place of the dnsmasq of the bridge. */
export function serverSections(permanent: Permanent): readonly string[] {
  const { serving, nat } = permanent
  const own = serverAddress(permanent)
  if (serving === undefined || own === undefined) return []
  const { first, last, guests, hasIpv6 } = serving
  const size = 2 ** (32 - own.prefixLength)
  const isOut = nat.includes(4)
  return [
    section('DHCPServer', [
      ['PoolOffset', numberOf(first) % size],
      ['PoolSize', numberOf(last) - numberOf(first) + 1],
      ['DefaultLeaseTimeSec', '1h'],
      ['EmitRouter', isOut ? undefined : 'no'],
      ['EmitDNS', isOut ? undefined : 'no'],
    ]),
    ...guests
      .filter(({ address }) => address?.includes('.'))
      .map(({ mac, address }) =>
        section('DHCPServerStaticLease', [
          ['MACAddress', mac],
          ['Address', address],
        ]),
      ),
    ...(hasIpv6 ? prefixSections(permanent) : []),
  ]
}

const prefixSections = ({ addresses, nat }: Permanent): readonly string[] => [
  section('IPv6SendRA', [
    ['RouterLifetimeSec', nat.includes(6) ? undefined : 0],
    ['EmitDNS', nat.includes(6) ? undefined : 'no'],
  ]),
  ...addresses
    .filter(({ family, scope, prefixLength }) => family === 6 && scope === 'global' && prefixLength === 64)
    .map(({ local, prefixLength }) =>
      section('IPv6Prefix', [['Prefix', networkOf({ family: 6, text: local, prefixLength })]]),
    ),
]

/** networkd's server answers no questions about names. */
export const nameNotes = ({ serving }: Permanent): readonly string[] =>
  serving === undefined
    ? []
    : [
        'not carried: the names that dnsmasq gives its guests',
        ...serving.guests
          .filter(({ address }) => address?.includes(':'))
          .map(({ name, address }) => `not carried: the address ${address ?? ''} of its guest ${name}`),
      ]
