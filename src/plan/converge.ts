import {
  findLink,
  sysctlOf,
  type Address,
  type Link,
  type NetworkState,
  type Route,
  type Sysctl,
} from '../state.ts'
import type { Step } from '../step.ts'
import { convergeAddresses } from './converge-addresses.ts'
import { convergeClients } from './converge-clients.ts'
import { convergeLinks } from './converge-links.ts'
import { convergeNetworkd } from './converge-networkd.ts'
import { convergeNeighbours, convergeNexthops, convergeRules } from './converge-others.ts'
import { convergeRoutes } from './converge-routes.ts'
import { convergeDnsmasq } from './dnsmasq.ts'
import { convergeFirewall } from './firewall.ts'
import type { Sides } from './footprint.ts'
import { convergeManager } from './network-manager.ts'
import { convergeResolvconf } from './resolvconf.ts'
import { convergeResolved } from './resolved.ts'
import { convergeRouting } from './routing.ts'
import { isKernelsOwn, isOnDev, prefixRoutes, routeId } from './routes.ts'

/** One concern's share of a plan: what comes before the rest, and what must wait for it. */
export interface Share {
  readonly first: readonly Step[]
  readonly last: readonly Step[]
}

/**
 * From one state to another without a change of the uplink's master: what is missing is added before what is too
 * much is taken away, addresses before the routes that need them and after them on the way out.
 */
export function converge(from: NetworkState, to: NetworkState, sides: Sides): readonly Step[] {
  const links = convergeLinks(from, to, sides)
  const addresses = convergeAddresses(from, to, sides)
  const routes = convergeRoutes(from, to, { sides, addresses })
  const objects = convergeNexthops(from, to, sides)
  const rules = convergeRules(from, to, sides)
  const neighbours = convergeNeighbours(from, to, sides)
  const sysctls = convergeSysctls(from, to, sides)
  const clients = convergeClients(from, to, sides)
  const manager = convergeManager(from, to, sides)
  const networkd = convergeNetworkd(from, to, sides)
  const dnsmasq = convergeDnsmasq(from, to, sides)
  const routing = convergeRouting(from.routing, to.routing, sides)
  const firewall = convergeFirewall(from.firewall, to.firewall, sides)
  return [
    ...dnsmasq.first,
    ...routing.first,
    ...firewall.first,
    ...manager.first,
    ...links.create,
    ...objects.first,
    ...sysctls.first,
    ...links.first,
    ...addresses.add,
    ...routes.first,
    ...objects.then,
    ...routes.byObject,
    ...rules.first,
    ...neighbours.first,
    ...manager.release,
    ...routes.last,
    ...objects.last,
    ...rules.last,
    ...neighbours.last,
    ...addresses.remove,
    ...addresses.change,
    ...restoredPrefixRoutes(to, addresses.changed),
    ...manager.up,
    ...sysctls.last,
    ...links.last,
    ...dnsmasq.last,
    ...firewall.last,
    ...routing.last,
    ...manager.last,
    ...convergeResolved(from, to, sides),
    ...clients,
    ...networkd,
    ...convergeResolvconf(from, to, sides),
  ]
}

/**
 * A change of an IPv6 address makes its prefix route anew, and takes the first one of its prefix for its own
 * (modify_prefix_route()): where there are several, they are put back, and one that is not wanted goes again.
 */
function restoredPrefixRoutes(to: NetworkState, changed: readonly Address[]): readonly Step[] {
  const made = changed.filter(({ family }) => family === 6).flatMap(prefixRoutes)
  const wanted = new Set(to.routes.map(routeId))
  const unwanted = new Map(made.filter((own) => !wanted.has(routeId(own))).map((own) => [routeId(own), own]))
  const twins = to.routes.filter(
    (route) =>
      route.protocol === 'kernel' &&
      !isKernelsOwn(route) &&
      made.some((own) => own.dst === route.dst && isOnDev(route, devOf(own))),
  )
  const isSeveral = (route: Route): boolean => twins.filter(({ dst }) => dst === route.dst).length > 1
  return [
    ...twins.filter(isSeveral).map((route): Step => ({ op: 'route.replace', route })),
    ...[...unwanted.values()].map((route): Step => ({ op: 'route.del', route })),
  ]
}

const devOf = (route: Route): readonly string[] => route.hops.flatMap(({ dev }) => dev ?? [])

/**
 * Settings that make a side safe to fill: no duplicate address detection, no link-local address of the kernel's
 * own making, and routes that wait for carrier. They come before the addresses, and so do all others of a link that is
 * yet to go up: IPv6 forwarding that was turned on right after the addresses was seen to leave a user of an anycast group behind
 * (/proc/net/anycast6), after which the next address of that prefix gets no anycast route.
 */
const guards: Readonly<Record<string, string>> = {
  accept_dad: '0',
  addr_gen_mode: '1',
  ignore_routes_with_linkdown: '1',
}

/**
 * Set by netlink, which only sets it (inet6_set_link_af()); written under /proc/sys the kernel makes a link-local
 * address at once. The words are iproute2's for IN6_ADDR_GEN_MODE_*.
 */
const genMode = 'addr_gen_mode'
const modes = ['eui64', 'none', 'stable_secret', 'random']

/** Keys whose write has an effect on another key come before it: stable_secret sets addr_gen_mode to 2. */
const early = ['stable_secret']

function convergeSysctls(from: NetworkState, to: NetworkState, { uplink, bridge }: Sides): Share {
  const created = findLink(from, bridge) === undefined ? findLink(to, bridge) : undefined
  const isRising = (dev: string): boolean =>
    findLink(from, dev)?.up === false && findLink(to, dev)?.up === true
  const quieted = from.sysctls.flatMap((item) => {
    const value =
      isRising(item.dev) && item.key !== 'ignore_routes_with_linkdown' ? guards[item.key] : undefined
    return value === undefined || value === item.value ? [] : [{ ...item, value }]
  })
  const start = { ...from, sysctls: [...quieted, ...from.sysctls] }
  const wanted = to.sysctls.filter(({ dev }) => dev === uplink || dev === bridge)
  const writes = wanted.filter((item) => valueBefore(start, item, created) !== item.value)
  const isFirst = ({ dev, key, value }: Sysctl): boolean =>
    dev === created?.name || guards[key] === value || (isRising(dev) && guards[key] === undefined)
  const sorted = [...writes].sort((a, b) => Number(early.includes(b.key)) - Number(early.includes(a.key)))
  const steps = (items: readonly Sysctl[]): readonly Step[] => [
    ...items.filter(({ key }) => key !== genMode).map((sysctl): Step => ({ op: 'sysctl.set', sysctl })),
    ...items
      .filter(({ key }) => key === genMode)
      .map(({ dev, value }): Step => ({
        op: 'link.addrgenmode',
        dev,
        mode: modes[Number(value)] ?? 'eui64',
      })),
  ]
  return {
    first: [...steps(quieted), ...steps(sorted.filter(isFirst))],
    last: steps(sorted.filter((item) => !isFirst(item))),
  }
}

/** A link that is yet to be made starts with the namespace's defaults; its IPv6 MTU follows its own. */
function valueBefore(from: NetworkState, item: Sysctl, created: Link | undefined): string | undefined {
  if (item.dev !== created?.name) return sysctlOf(from, item)
  if (item.key === 'mtu') return String(created.mtu)
  return sysctlOf(from, { ...item, dev: 'default' })
}
