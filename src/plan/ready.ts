import { stayingClients } from './dhcp-clients.ts'
import { readyManager } from './network-manager.ts'
import {
  findLink,
  sysctlOf,
  type Address,
  type Link,
  type NetworkState,
  type Neighbour,
  type Rule,
  type Sysctl,
} from '../state.ts'
import { addressId } from './addresses.ts'
import { neighbourId, ruleId } from './converge-others.ts'
import { devsOf, type Move, type Sides } from './footprint.ts'
import { withGuard } from './lease-guard.ts'
import { pendingMark } from './marks.ts'
import { readyRoutes } from './ready-routes.ts'
import { readyResolved } from './resolved.ts'
import { prefixRoutes } from './routes.ts'

/** The state in which the host is on the bridge, and the one in which it is on the uplink itself. */
export interface Ends {
  readonly raised: NetworkState
  readonly lowered: NetworkState
}

export type Direction = 'up' | 'down'

interface ReadyOptions {
  readonly ends: Ends
  readonly sides: Move
  readonly direction: Direction
}

/**
 * The state right before the switch, the same in both directions: the uplink has its addresses and routes as it
 * has them without a bridge, and the bridge has its own, each a little better than the uplink's. What is used
 * is decided by one thing only, the carrier of the bridge; and that is what the switch gives or takes.
 */
export function readyState(from: NetworkState, options: ReadyOptions): NetworkState {
  const { ends, sides, direction } = options
  const addresses = readyAddresses(from, options)
  const made = addresses.filter((address) => bringsPrefix(address, from, options)).flatMap(prefixRoutes)
  return {
    links: readyLinks(from, options),
    addresses,
    routes: readyRoutes({ ends, sides, direction, made }),
    rules: union(from.rules, otherEnd(options).rules.filter(isHarmless), ruleId).sort(byPriority),
    nexthops: from.nexthops,
    neighbours: readyNeighbours(from, options),
    sysctls: readySysctls(from, { ends, sides, direction }),
    routing: from.routing,
    dnsmasq: from.dnsmasq,
    firewall: direction === 'up' ? withGuard(ends.raised.firewall, from.firewall?.guarded) : from.firewall,
    clients: stayingClients(from, otherEnd(options)),
    manager: readyManager(from.manager, otherEnd(options).manager),
    networkd: from.networkd,
    resolvconf: from.resolvconf,
    resolved: readyResolved(from.resolved, otherEnd(options).resolved, {
      coming: direction === 'up' ? sides.bridge : sides.uplink,
      leaving: direction === 'up' ? sides.uplink : sides.bridge,
    }),
  }
}

/**
 * A gateway must be reachable when a route by it is added. New addresses bring their prefix routes; on the way down
 * those of all addresses are there for a while, also where somebody had deleted them.
 */
const bringsPrefix = (address: Address, from: NetworkState, { sides, direction }: ReadyOptions): boolean =>
  direction === 'down'
    ? devsOf(sides).includes(address.dev)
    : !from.addresses.some((other) => addressId(other) === addressId(address))

const otherEnd = ({ ends, direction }: ReadyOptions): NetworkState =>
  direction === 'up' ? ends.raised : ends.lowered

/** A rule with `oif` also decides where a gateway is looked up (fib_check_nh()): it comes when the routes are there. */
const isHarmless = ({ oif }: Rule): boolean => oif === undefined

const byPriority = (a: Rule, b: Rule): number => a.family - b.family || a.priority - b.priority

function union<T>(first: readonly T[], second: readonly T[], idOf: (item: T) => string): T[] {
  const present = new Set(first.map(idOf))
  return [...first, ...second.filter((item) => !present.has(idOf(item)))]
}

/**
 * Going up, the bridge appears; going down, whoever else would keep its carrier leaves it. The uplink is what it is to be
 * in all but its master: an address needs a link that is up.
 */
function readyLinks(from: NetworkState, options: ReadyOptions): readonly Link[] {
  const { raised, lowered } = options.ends
  const { uplink, bridge } = options.sides
  const end = findLink(otherEnd(options), uplink)
  const links = from.links.map((link) =>
    link.name === uplink && end !== undefined ? { ...end, master: link.master } : link,
  )
  const target = findLink(raised, bridge)
  if (options.direction === 'up') {
    const others = links.filter(({ name }) => name !== bridge)
    return target === undefined ? others : [...others, { ...target, alias: pendingMark(target.alias) }]
  }
  const staying = new Set(lowered.links.filter(({ master }) => master === bridge).map(({ name }) => name))
  return links.map((link) => {
    if (link.name === bridge) return { ...link, alias: pendingMark(link.alias) }
    const leaves = link.master === bridge && link.name !== uplink && !staying.has(link.name)
    return leaves ? { ...link, master: undefined } : link
  })
}

/**
 * Those of both sides. An IPv6 address that comes must be usable at once: by accept_dad=0 on its link, or, where
 * `all` overrules that, by its own flag.
 */
function readyAddresses(from: NetworkState, options: ReadyOptions): readonly Address[] {
  const { ends, sides, direction } = options
  const on = (state: NetworkState, dev: string): readonly Address[] =>
    state.addresses.filter((address) => address.dev === dev)
  const present = new Map(from.addresses.map((address) => [addressId(address), address]))
  const detects = sysctlOf(from, { family: 6, dev: 'all', key: 'accept_dad' }) !== '0'
  const side = (state: NetworkState, dev: string): readonly Address[] =>
    on(state, dev).map((address) => {
      const actual = present.get(addressId(address))
      if (address.family === 4 || !detects || actual !== undefined) return address
      return { ...address, flags: [...new Set([...address.flags, 'nodad'])] }
    })
  const uplinkState = direction === 'up' ? from : ends.lowered
  const others = from.addresses.filter(({ dev }) => !devsOf(sides).includes(dev))
  return [...others, ...side(uplinkState, sides.uplink), ...side(ends.raised, sides.bridge)]
}

function readyNeighbours(from: NetworkState, options: ReadyOptions): readonly Neighbour[] {
  return union(from.neighbours, otherEnd(options).neighbours, neighbourId)
}

const ignoreLinkdown = 'ignore_routes_with_linkdown'

function readySysctls(from: NetworkState, { ends, sides, direction }: ReadyOptions): readonly Sysctl[] {
  const { uplink, bridge } = sides
  const { raised } = ends
  const isOld = (item: Sysctl): boolean => direction === 'down' || item.dev !== bridge
  const kept = from.sysctls.filter(isOld)
  const coming = direction === 'up' ? raised.sysctls.filter(({ dev }) => dev === bridge) : []
  return [...kept, ...coming].map((item) => {
    if (item.dev === bridge && item.key === ignoreLinkdown) return { ...item, value: '1' }
    if (item.dev === uplink && item.family === 6 && item.key === 'mtu')
      return { ...item, value: mtuAfter(item, from, findLink(otherEnd({ ends, sides, direction }), uplink)) }
    // A link that goes up or gets carrier takes its own MTU for IPv6 (addrconf_notify()).
    if (item.dev === bridge && item.key === 'mtu' && direction === 'up')
      return { ...item, value: String(findLink(raised, bridge)?.mtu) }
    const isFilled = item.family === 6 && item.dev === (direction === 'up' ? bridge : uplink)
    if (isFilled && item.key === 'accept_dad') return { ...item, value: '0' }
    if (isFilled && direction === 'up' && item.key === 'addr_gen_mode') return { ...item, value: '1' }
    return item
  })
}

/** A link whose MTU changes takes the new one for IPv6. */
const mtuAfter = ({ dev, value }: Sysctl, from: NetworkState, to: Link | undefined): string =>
  to === undefined || to.mtu === findLink(from, dev)?.mtu ? value : String(to.mtu)

/** The goal where nothing is switched, as it can be reached at once: IPv6 addresses that come do so without a look for duplicates. */
export function filledState(from: NetworkState, to: NetworkState, sides: Sides): NetworkState {
  const present = new Set(from.addresses.map(addressId))
  const isComing = (address: Address): boolean =>
    address.family === 6 && devsOf(sides).includes(address.dev) && !present.has(addressId(address))
  return {
    ...to,
    addresses: to.addresses.map((address) =>
      isComing(address) ? { ...address, flags: [...new Set([...address.flags, 'nodad'])] } : address,
    ),
  }
}
