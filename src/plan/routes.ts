import { contains, networkOf, parseIp } from '../names.ts'
import type { Address, Hop, Route } from '../state.ts'

/**
 * The protocol number of routes that are here for the time of a switch, or until the kernel's own comes back:
 * nobody else's route carries it (rtnetlink.h leaves 64..255 to user space; 157 is unassigned in rt_protos).
 */
export const ownProtocol = '157'

/** The identity of a route: all but how long it lives. Hops of a next-hop object are the object's. */
export function routeId(route: Route): string {
  const { family, type, table, dst, from, tos, protocol, scope, metric, source, nhid, realm } = route
  const hops = nhid === undefined ? route.hops : []
  const preference = route.preference ?? 'medium'
  return JSON.stringify([
    family, type, table, dst, from, tos, protocol, family === 4 ? scope : '', metric, source, nhid, realm,
    hops.map(hopId), route.metrics, preference,
  ]) // prettier-ignore
}

const hopId = (hop: Hop): string =>
  [hop.dev, hop.gateway, hop.viaFamily, hop.weight, hop.onlink].map(String).join(' ')

/** Where routes meet: the first usable one in a slot wins (IPv4), or a second one is refused (IPv6). */
export const slotOf = (route: Route): string => `${placeOf(route)} ${route.metric}`

/** A slot without its metric: the routes that compete for the same packets. */
export const placeOf = (route: Route): string =>
  `${route.family} ${route.table} ${route.dst} ${route.from ?? ''} ${route.tos ?? ''}`

const keptByKernel = new Set(['local', 'broadcast', 'anycast', 'multicast'])

/** Those of table local come and go with addresses and links. */
export const isKernelsOwn = (route: Route): boolean =>
  route.table === 'local' && route.protocol === 'kernel' && keptByKernel.has(route.type)

/** Whether a subnet or a destination (`10.0.0.0/8`, `10.0.0.1`) holds an address; `default` holds none. */
export function holds(dst: string, address: string): boolean {
  const [text = '', length] = dst.split('/')
  const [network, ip] = [parseIp(text), parseIp(address)]
  if (network === undefined || ip === undefined) return false
  return contains({ ...network, prefixLength: Number(length ?? (network.family === 4 ? 32 : 128)) }, ip)
}

export const isOnDev = (route: Route, devs: readonly string[]): boolean =>
  route.hops.some((hop) => hop.dev !== undefined && devs.includes(hop.dev))

export const moveHops = (route: Route, from: string, to: string): Route => ({
  ...route,
  hops: route.hops.map((hop) => (hop.dev === from ? { ...hop, dev: to } : hop)),
})

/** The plain route that does what a route by next-hop object does. */
export const withoutObject = (route: Route): Route => ({ ...route, nhid: undefined, protocol: ownProtocol })

/** Link-scope destinations are looked up per link: copies on two links do not compete. */
export const isPerLink = (route: Route): boolean =>
  route.family === 6 && (/^fe[89ab]/.test(route.dst) || route.dst.startsWith('ff'))

/**
 * The prefix routes that the kernel makes for an address: fib_add_ifaddr() in net/ipv4/fib_frontend.c,
 * inet6_addr_add() in net/ipv6/addrconf.c; the one to an IPv6 peer comes whatever the flags, and
 * without the address's lifetime (__ipv6_ifa_notify()).
 */
export const prefixRoutes = (address: Address): readonly Route[] =>
  address.family === 4 ? ipv4PrefixRoutes(address) : ipv6PrefixRoutes(address)

function ipv4PrefixRoutes(address: Address): readonly Route[] {
  if (address.status.includes('secondary') || hasNoPrefixRoute(address)) return []
  const far = address.peer ?? address.local
  if (address.prefixLength === 32 && far === address.local) return []
  const dst = networkOf({ family: 4, text: far, prefixLength: address.prefixLength })
  if (dst.startsWith('0.')) return []
  return [prefixRoute(address, dst)]
}

function ipv6PrefixRoutes(address: Address): readonly Route[] {
  const { local, peer, prefixLength } = address
  const own = networkOf({ family: 6, text: local, prefixLength })
  const far = peer === undefined ? [] : [networkOf({ family: 6, text: peer, prefixLength: 128 })]
  return [
    ...(hasNoPrefixRoute(address) ? [] : [prefixRoute(address, own)]),
    ...far.map((dst) => ({ ...prefixRoute(address, dst), expiresAt: undefined })),
  ]
}

const hasNoPrefixRoute = ({ flags }: Address): boolean => flags.includes('noprefixroute')

const prefixRoute = (address: Address, dst: string): Route => ({
  family: address.family,
  type: 'unicast',
  table: 'main',
  dst: dst.replace(address.family === 4 ? /\/32$/ : /\/128$/, ''),
  from: undefined,
  tos: undefined,
  protocol: 'kernel',
  scope: address.family === 4 ? 'link' : 'global',
  metric: address.metric ?? (address.family === 4 ? 0 : ipv6PrefixMetric),
  source: address.family === 4 ? address.local : undefined,
  hops: [{ dev: address.dev, gateway: undefined, viaFamily: undefined, weight: undefined, onlink: false }],
  nhid: undefined,
  metrics: [],
  preference: address.family === 4 ? undefined : 'medium',
  realm: undefined,
  expiresAt: address.family === 4 ? undefined : address.validUntil,
  unknown: [],
})

/** IP6_RT_PRIO_ADDRCONF */
const ipv6PrefixMetric = 256
