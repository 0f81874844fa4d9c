import type { Cidr, Family, Forward } from '../names.ts'
import type { DhcpClient, Networkd } from '../owner-state.ts'
import {
  addressesOf,
  findLink,
  type Address,
  type Link,
  type NetworkState,
  type Route,
  type Rule,
  type Sysctl,
} from '../state.ts'
import { stopGap } from './advertised.ts'
import { isTemporary, moveAddress } from './addresses.ts'
import { devsOf, routeFilter, type Move, type Sides } from './footprint.ts'
import { ownChains } from './chains.ts'
import type { Opening } from './firewall-rules.ts'
import { openedFirewall } from './firewall.ts'
import { withGuard } from './lease-guard.ts'
import { markOf } from './marks.ts'
import { resolvedOnBridge } from './resolved.ts'
import { isKernelsOwn, moveHops, prefixRoutes, routeId } from './routes.ts'
import { raisedRouting } from './routing.ts'

interface RaiseOptions {
  readonly sides: Move
  /** The id of the run, which the bridge carries in its alias. */
  readonly id: string
  /** `undefined`: that of the uplink. */
  readonly mtu?: number | undefined
  /** `undefined`: the host's firewall is to stay as it is. */
  readonly opening?: Opening | undefined
  /** The DHCP clients as they are to be; left out: as they are. */
  readonly clients?: readonly DhcpClient[] | undefined
  /** The same of NetworkManager. */
  readonly manager?: NetworkState['manager']
  /** What systemd-networkd is to manage; left out: as it is. */
  readonly networkd?: Networkd | undefined
  /** Whether the uplink is kept from asking for a lease. */
  readonly isGuarded?: boolean
}

/** The host on the bridge: all that is on the uplink moves, and a bridge that is not there is made. */
export function raisedGoal(before: NetworkState, options: RaiseOptions): NetworkState {
  const { sides } = options
  const { uplink, bridge } = sides
  const staying = stayingAddresses(before, uplink)
  return {
    links: raisedLinks(before, options),
    addresses: before.addresses.flatMap((address) => {
      if (address.dev !== uplink) return [address]
      const moved = moveAddress(withoutStatus(address), bridge)
      return staying.has(address) ? [address, moved] : [moved]
    }),
    routes: raisedRoutes(before, sides),
    rules: before.rules.map((rule) => movedRule(rule, uplink, bridge)),
    nexthops: before.nexthops.map((item) => (item.dev === uplink ? { ...item, dev: bridge } : item)),
    neighbours: before.neighbours.map((item) => (item.dev === uplink ? { ...item, dev: bridge } : item)),
    sysctls: raisedSysctls(before, options),
    routing: before.routing,
    dnsmasq: before.dnsmasq,
    firewall: withGuard(
      openedFirewall(before.firewall, options.opening),
      options.isGuarded === true ? uplink : undefined,
    ),
    clients: options.clients ?? before.clients,
    manager: options.manager ?? before.manager,
    networkd: options.networkd ?? before.networkd,
    resolved: resolvedOnBridge(before.resolved, sides),
    resolvconf: before.resolvconf,
  }
}

interface OwnBridgeOptions {
  readonly bridge: string
  readonly id: string
  readonly addresses: readonly Cidr[]
  /** Whether its guests may reach what is beyond the bridge. */
  readonly nat: boolean
  readonly forwards: readonly Forward[]
  readonly dnsmasq: readonly string[] | undefined
  readonly mtu: number | undefined
  readonly stp: boolean
  readonly opening?: Opening | undefined
}

/** A bridge that is a network of its own, beside everything that is there. */
export function ownBridgeGoal(before: NetworkState, options: OwnBridgeOptions): NetworkState {
  const { bridge, addresses, dnsmasq, mtu = ethernetMtu, stp } = options
  const existing = findLink(before, bridge)
  const link = existing === undefined ? newBridge(options) : { ...existing, up: true, mtu, stp }
  const routed = routedFamilies(options)
  const routing = raisedRouting(before.routing, { bridge, chains: ownChains(options), routed })
  const own = existing === undefined ? before.sysctls.flatMap((item) => initialSetting(item, bridge)) : []
  const value = (item: Sysctl): string => {
    if (item.key === 'disable_ipv6' && addresses.some(({ family }) => family === 6)) return '0'
    if (item.key === 'forwarding' && routed.includes(item.family)) return '1'
    return item.family === 6 && (fromGuests.has(item.key) || item.key === 'accept_dad') ? '0' : item.value
  }
  return {
    ...before,
    links: [...before.links.filter(({ name }) => name !== bridge), link],
    sysctls: [...before.sysctls, ...own].map((item) =>
      item.dev === bridge ? { ...item, value: value(item) } : item,
    ),
    routing,
    dnsmasq,
    firewall: openedFirewall(before.firewall, options.opening),
  }
}

/**
 * The host takes neither address nor router from its guests, and is there before them: to look for duplicates would keep
 * its link-local address from use, and with it the way to them, for the first seconds.
 */
const fromGuests = new Set(['accept_ra', 'autoconf'])

/** The families that must be forwarded for the guests of such a bridge. */
export const routedFamilies = ({
  nat,
  addresses,
}: Pick<OwnBridgeOptions, 'nat' | 'addresses'>): readonly Family[] =>
  ([4, 6] as const).filter((family) => nat && addresses.some((address) => address.family === family))

/** What a new link starts with; its IPv6 MTU follows its own. */
const initialSetting = (item: Sysctl, bridge: string): readonly Sysctl[] =>
  item.dev === 'default' && item.key !== 'mtu' ? [{ ...item, dev: bridge }] : []

const ethernetMtu = 1500

const newBridge = ({ bridge: name, id, mtu = ethernetMtu, stp }: OwnBridgeOptions): Link => ({
  index: 0,
  name,
  mac: macOf(id),
  mtu,
  up: true,
  carrier: false,
  loopback: false,
  type: 'ether',
  kind: 'bridge',
  master: undefined,
  masterKind: undefined,
  lower: undefined,
  alias: markOf(id),
  tunType: undefined,
  stp,
  defaultVlan: undefined,
  filtered: [],
  port: undefined,
})

/** A locally administered one, from the ten hexadecimal digits of the run's id. */
const macOf = (id: string): string => `02:${(id.match(/../g) ?? []).slice(0, 5).join(':')}`

/**
 * A link-local address made from a secret (RFC 7217) has a flag that only the kernel can give: where there is one,
 * the link-local addresses are copied, and stay where they are, out of use as long as their link is a port.
 */
function stayingAddresses(before: NetworkState, uplink: string): ReadonlySet<Address> {
  const linkLocals = linkLocalsOf(before, uplink)
  return new Set(linkLocals.some(({ status }) => status.includes('stable-privacy')) ? linkLocals : [])
}

const linkLocalsOf = (state: NetworkState, dev: string): readonly Address[] =>
  addressesOf(state, dev).filter(({ family, scope }) => family === 6 && scope === 'link')

function raisedLinks(before: NetworkState, options: RaiseOptions): readonly Link[] {
  const {
    sides: { uplink, bridge },
    id,
  } = options
  const port = findLink(before, uplink)
  if (port === undefined) throw new Error(`no link ${uplink}`)
  const existing = findLink(before, bridge)
  const { mac } = port
  const mtu = options.mtu ?? port.mtu
  const own = { name: bridge, index: 0, kind: 'bridge', lower: undefined, alias: markOf(id) }
  const made: Link = {
    ...port,
    ...own,
    mtu,
    stp: false,
    defaultVlan: undefined,
    filtered: [],
    port: undefined,
  }
  const raised = existing === undefined ? made : { ...existing, mac, mtu, up: true }
  const others = before.links.filter(({ name }) => name !== bridge)
  return [...others.map((link) => (link === port ? { ...link, master: bridge } : link)), raised]
}

/** A temporary address cannot be made by anyone but the kernel: its copy lives out its time as a plain one. */
export function withoutStatus(address: NetworkState['addresses'][number]): NetworkState['addresses'][number] {
  const status = address.status.filter((name) => name === 'secondary')
  if (!isTemporary(address)) return { ...address, status }
  return { ...address, status, flags: [...new Set([...address.flags, 'noprefixroute'])] }
}

export const movedRule = (rule: Rule, from: string, to: string): Rule => ({
  ...rule,
  iif: rule.iif === from ? to : rule.iif,
  oif: rule.oif === from ? to : rule.oif,
})

function raisedRoutes(before: NetworkState, { uplink, bridge }: Move): readonly Route[] {
  const staying = new Set([...stayingAddresses(before, uplink)].flatMap(prefixRoutes).map(routeId))
  const moved = before.routes.flatMap((route) => [
    ...(staying.has(routeId(route)) ? [route] : []),
    movedRoute(route, uplink, bridge),
  ])
  return [...new Map(moved.map((route) => [routeId(route), route])).values()]
}

export const movedRoute = (route: Route, from: string, to: string): Route =>
  route.hops.some(({ dev }) => dev === from) ? stopGap(moveHops(route, from, to)) : route

/**
 * The bridge has the uplink's settings. Neither makes a link-local address that is not wanted there: the uplink, as
 * a port, would at its next loss of carrier, and a bridge whose uplink had none would at once.
 */
function raisedSysctls(before: NetworkState, { sides, mtu }: RaiseOptions): NetworkState['sysctls'] {
  const { uplink, bridge } = sides
  const isMade = linkLocalsOf(before, uplink).length > 0 && stayingAddresses(before, uplink).size === 0
  const quiet = isMade ? uplink : bridge
  const others = before.sysctls.filter(({ dev }) => dev !== bridge)
  const moved = others.filter(({ dev }) => dev === uplink).map((item) => ({ ...item, dev: bridge }))
  const value = ({ family, dev, key, value: as }: Sysctl): string => {
    if (family === 6 && dev === quiet && key === 'addr_gen_mode') return '1'
    // The IPv6 MTU of a link is never above its own.
    return dev === bridge && key === 'mtu' && mtu !== undefined && Number(as) > mtu ? String(mtu) : as
  }
  return [...others, ...moved].map((item) => ({ ...item, value: value(item) }))
}

export const touchedRoutes = (state: NetworkState, sides: Sides): readonly Route[] => {
  const isTouched = routeFilter(state, devsOf(sides))
  return state.routes.filter((route) => isTouched(route) && !isKernelsOwn(route))
}
