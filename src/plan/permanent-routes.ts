import { networkOf, parseIp } from '../names.ts'
import type { NetworkState, Route } from '../state.ts'
import { routeWords } from '../words.ts'
import { routeFilter } from './footprint.ts'
import type { Origins } from './origins.ts'
import { holds, ownProtocol } from './routes.ts'

interface Found {
  readonly routes: readonly Route[]
  /** Of the IPv4 default route that the DHCP client made. */
  readonly dhcpMetric: number | undefined
  readonly notes: readonly string[]
}

/** Those that whoever made them makes again: the kernel with an address, a router's advertisement, a passing one of ours. */
const passing = new Set(['kernel', 'ra', 'redirect', ownProtocol])

const daemons = new Set(
  'gated mrt zebra bird dnrouted xorp ntk keepalived babel openr bgp isis ospf rip eigrp'.split(' '),
)

/** The routes by a link that a configuration must have. */
export function permanentRoutes(state: NetworkState, dev: string, origins: Origins): Found {
  const isOn = routeFilter(state, [dev])
  const here = state.routes.filter(
    (route) => isOn(route) && route.table !== 'local' && !passing.has(route.protocol),
  )
  const leased = here.filter((route) => isLeased(route, origins))
  const left = here.filter((route) => !leased.includes(route) && route.expiresAt === undefined)
  const isDaemons = ({ protocol }: Route): boolean => daemons.has(protocol)
  const own = left.filter((route) => !isDaemons(route))
  return {
    routes: own.map((route) => ({ ...route, nhid: undefined })),
    dhcpMetric: leased.find(({ dst, family }) => dst === 'default' && family === 4)?.metric,
    notes: [
      ...left
        .filter(isDaemons)
        .map(
          (route) =>
            `not carried: the route ${textOf(route)}, which ${route.protocol} makes when it is started`,
        ),
      ...own
        .filter(({ nhid }) => nhid !== undefined)
        .map(
          (route) =>
            `not carried: the next-hop object ${route.nhid ?? ''}; the route to ${route.dst} is written without it`,
        ),
    ],
  }
}

export const textOf = (route: Route): string => routeWords(route, undefined).join(' ')

/** By its protocol; or, since not every client tells that, a default route by the subnet of the lease. */
function isLeased({ family, protocol, dst, table, hops }: Route, { dhcp, leased }: Origins): boolean {
  if (!dhcp.includes(family)) return false
  if (protocol === 'dhcp') return true
  const [hop, ...others] = hops
  if (dst !== 'default' || table !== 'main' || others.length > 0 || hop?.gateway === undefined) return false
  const { gateway } = hop
  return leased.some(({ local, prefixLength }) => {
    const ip = parseIp(local)
    return ip?.family === family && holds(networkOf({ ...ip, prefixLength }), gateway)
  })
}
