import { refusal, usageError } from '../errors.ts'
import { contains, networkOf, parseIp, type Cidr, type Family, type IpAddress } from '../names.ts'
import type { Address, NetworkState, Route } from '../state.ts'
import { routeWords } from '../words.ts'
import { inKernelOrder, withSecondaries } from './addresses.ts'
import { isKernelsOwn, isOnDev, prefixRoutes, routeId } from './routes.ts'

/** What the user told brup to use instead of what the uplink has. */
export interface Told {
  readonly addresses: readonly Cidr[]
  readonly gateways: readonly IpAddress[]
}

/**
 * The goal with the told addresses and gateways in place of the moved ones, family by family. Throws a usage
 * error for a gateway out of reach, and refuses where a route would be lost.
 */
export function withTold(goal: NetworkState, bridge: string, told: Told): NetworkState {
  return ([4, 6] as const).reduce((state, family) => {
    const addresses = told.addresses.filter((item) => item.family === family)
    const gateway = told.gateways.find((item) => item.family === family)
    const addressed =
      addresses.length === 0 ? state : withAddresses(state, { bridge, family, addresses, gateway })
    return gateway === undefined ? addressed : withGateway(addressed, { bridge, family, gateway })
  }, goal)
}

interface AddressOptions {
  readonly bridge: string
  readonly family: Family
  readonly addresses: readonly Cidr[]
  readonly gateway: IpAddress | undefined
}

function withAddresses(state: NetworkState, options: AddressOptions): NetworkState {
  const { bridge, family, addresses, gateway } = options
  const isReplaced = (item: Address): boolean =>
    item.dev === bridge && item.family === family && item.scope !== 'link'
  const old = state.addresses.filter(isReplaced)
  const given = withSecondaries(addresses.map((cidr) => newAddress(cidr, bridge)))
  const gone = new Set(old.flatMap(prefixRoutes).map(routeId))
  const routes = state.routes.filter((route) => !gone.has(routeId(route)) && !isPrefixOf(route, old))
  const lost = routes.find(
    (route) =>
      route.family === family &&
      isOnDev(route, [bridge]) &&
      !isKernelsOwn(route) &&
      !(isDefault(route) && gateway !== undefined) &&
      !canStay(route, { bridge, addresses, old }),
  )
  if (lost !== undefined)
    throw refusal(
      `${addresses[0]?.text ?? ''} does not reach what the route ${routeWords(lost, undefined).join(' ')} needs`,
      isDefault(lost) ? 'give --gateway' : 'remove that route first',
    )
  return {
    ...state,
    addresses: [...state.addresses.filter((item) => !isReplaced(item)), ...given].sort(inKernelOrder),
    routes: [...routes, ...given.flatMap(prefixRoutes)],
  }
}

/** What DHCP clients make beside the kernel's own: the way to the subnet of an address, or to its gateway, from that address. */
const isPrefixOf = ({ dst, source, hops }: Route, addresses: readonly Address[]): boolean =>
  addresses.some((address) => source === address.local && isInSubnet(dst, address)) &&
  hops.every(({ gateway }) => gateway === undefined)

function isInSubnet(dst: string, { family, local, prefixLength }: Address): boolean {
  const subnet = { family, text: local, prefixLength }
  const single = parseIp(dst)
  return single === undefined ? dst === networkOf(subnet) : contains(subnet, single)
}

const isDefault = (route: Route): boolean => route.dst === 'default' && route.type === 'unicast'

function canStay(
  route: Route,
  { bridge, addresses, old }: { bridge: string; addresses: readonly Cidr[]; old: readonly Address[] },
): boolean {
  const source = route.source
  if (source !== undefined && old.some(({ local }) => local === source))
    if (!addresses.some(({ text }) => text === source)) return false
  return route.hops
    .filter(({ dev, onlink }) => dev === bridge && !onlink)
    .every(({ gateway }) => gateway === undefined || isReachable(gateway, addresses))
}

function isReachable(gateway: string, subnets: readonly Cidr[]): boolean {
  const ip = parseIp(gateway)
  if (ip === undefined) return false
  return isLinkLocal(ip) || subnets.some((cidr) => cidr.family === ip.family && contains(cidr, ip))
}

const isLinkLocal = ({ family, text }: IpAddress): boolean => family === 6 && /^fe[89ab]/.test(text)

function newAddress(cidr: Cidr, dev: string): Address {
  return {
    family: cidr.family,
    dev,
    local: cidr.text,
    peer: undefined,
    prefixLength: cidr.prefixLength,
    broadcast: undefined,
    anycast: undefined,
    scope: 'global',
    label: cidr.family === 4 ? dev : undefined,
    metric: undefined,
    protocol: undefined,
    flags: [],
    status: [],
    validUntil: undefined,
    preferredUntil: undefined,
  }
}

/** IP6_RT_PRIO_USER */
const ipv6DefaultMetric = 1024

function withGateway(
  state: NetworkState,
  { bridge, family, gateway }: { bridge: string; family: Family; gateway: IpAddress },
): NetworkState {
  const subnets = state.addresses
    .filter((item) => item.dev === bridge && item.family === family)
    .map((item): Cidr => ({ family, text: item.peer ?? item.local, prefixLength: item.prefixLength }))
  const defaults = state.routes.filter(
    (route) => route.family === family && isDefault(route) && isOnDev(route, [bridge]),
  )
  const isOnlink = defaults.some(({ hops }) => hops.some(({ onlink }) => onlink))
  if (!isOnlink && !isReachable(gateway.text, subnets))
    throw usageError(
      `gateway ${gateway.text} is in no subnet of ${bridge}${subnetsText(subnets)}`,
      'give an address of its subnet with --address',
    )
  const sources = new Set(state.addresses.map(({ local }) => local))
  const renewed = defaults.map((route) => ({
    ...route,
    source: sources.has(route.source ?? '') ? route.source : undefined,
    protocol: route.protocol === 'kernel' ? 'boot' : route.protocol,
    hops: route.hops.map((hop) =>
      hop.dev === bridge ? { ...hop, gateway: gateway.text, viaFamily: undefined } : hop,
    ),
  }))
  const routes = renewed.length > 0 ? renewed : [defaultRoute(family, gateway.text, bridge)]
  return { ...state, routes: [...state.routes.filter((route) => !defaults.includes(route)), ...routes] }
}

const subnetsText = (subnets: readonly Cidr[]): string =>
  subnets.length === 0 ? ', which has no address' : ` (${subnets.map(networkOf).join(', ')})`

const defaultRoute = (family: Family, gateway: string, dev: string): Route => ({
  family,
  type: 'unicast',
  table: 'main',
  dst: 'default',
  from: undefined,
  tos: undefined,
  protocol: 'boot',
  scope: 'global',
  metric: family === 4 ? 0 : ipv6DefaultMetric,
  source: undefined,
  hops: [{ dev, gateway, viaFamily: undefined, weight: undefined, onlink: false }],
  nhid: undefined,
  metrics: [],
  preference: family === 4 ? undefined : 'medium',
  realm: undefined,
  expiresAt: undefined,
  unknown: [],
})
