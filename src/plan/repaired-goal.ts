import {
  findLink,
  isSameLink,
  type Address,
  type Link,
  type NetworkState,
  type Route,
  type Sysctl,
} from '../state.ts'
import type { Family } from '../names.ts'
import { addressId, rankedId } from './addresses.ts'
import { arranged } from './arranged.ts'
import { carry } from './carry.ts'
import type { Opening } from './firewall-rules.ts'
import { openedFirewall } from './firewall.ts'
import { clientsKept } from './dhcp-clients.ts'
import { devsOf, type Sides } from './footprint.ts'
import { sinceSwitched } from './forwarding.ts'
import { withGuard } from './lease-guard.ts'
import { resolvedKept } from './resolved.ts'
import { isKernelsOwn, prefixRoutes, routeId, slotOf } from './routes.ts'
import { chainsOf, raisedRouting } from './routing.ts'

interface RepairOptions {
  readonly sides: Sides
  /** When brup committed. */
  readonly raised: NetworkState
  /** Now, in seconds of CLOCK_BOOTTIME. */
  readonly at: number
  /** The families that are forwarded for its guests. */
  readonly routed: readonly Family[]
  /** `undefined`: the host's firewall is to stay as it is. */
  readonly opening: Opening | undefined
}

/**
 * The host on the bridge as brup left it, with what has come to the bridge since. What was lost is put back; what was put back on
 * the uplink is moved, or dropped where the bridge has it. Ports that came since stay.
 */
export function repairedGoal(now: NetworkState, options: RepairOptions): NetworkState {
  const { sides, raised, at, routed, opening } = options
  const carried = carry(now, { sides, raised, at, base: raised, to: sides.bridge })
  const addresses = arranged(carried.addresses, { now, sides, standing: now.addresses })
  return {
    ...carried,
    links: repairedLinks(now, raised, sides),
    sysctls: repairedSettings(now, raised),
    dnsmasq: raised.dnsmasq,
    clients: clientsKept(raised, now, sides),
    manager: raised.manager,
    networkd: raised.networkd,
    resolved: resolvedKept(raised, now, sides),
    resolvconf: now.resolvconf,
    firewall: withGuard(openedFirewall(now.firewall, opening), raised.firewall?.guarded),
    routing: raisedRouting(now.routing, {
      bridge: sides.bridge,
      chains: chainsOf(raised.routing, sides.bridge),
      routed,
    }),
    addresses,
    routes: inOrderOfNow(
      [...carried.routes.filter((route) => !isKernelsOwn(route)), ...newPrefixRoutes(addresses, now, raised)],
      now,
    ),
  }
}

/**
 * Settings may have been changed on purpose, for all links at once: only where a link was made or plugged in anew, or has lost its
 * IPv6, are they those of the commit. The IPv6 MTU follows the link's.
 */
function repairedSettings(now: NetworkState, raised: NetworkState): NetworkState['sysctls'] {
  const present = new Set(now.sysctls.map(({ family, dev }) => `${family} ${dev}`))
  const isKept = ({ family, dev }: Sysctl): boolean =>
    isSameLink(dev, now, raised) && present.has(`${family} ${dev}`)
  const lost = raised.sysctls.filter((item) => !isKept(item))
  const settings = [...now.sysctls.filter(isKept), ...sinceSwitched(lost, { then: raised, now })]
  return settings.filter(({ key }) => key !== 'mtu')
}

/** The journal's state of the commit, for links that were made or plugged in anew since. */
export const withIndexes = (raised: NetworkState, now: NetworkState, sides: Sides): NetworkState => ({
  ...raised,
  links: raised.links.map((link) =>
    devsOf(sides).includes(link.name)
      ? { ...link, index: findLink(now, link.name)?.index ?? link.index }
      : link,
  ),
})

/** The two links as they were, an adopted bridge's own ports on it, and everything else as it is. */
function repairedLinks(now: NetworkState, raised: NetworkState, { uplink, bridge }: Sides): readonly Link[] {
  const others = now.links.filter(({ name }) => name !== uplink && name !== bridge)
  const own = (name: string): boolean => findLink(raised, name)?.master === bridge
  return [
    ...others.map((link) =>
      link.master === undefined && own(link.name) ? { ...link, master: bridge } : link,
    ),
    ...[uplink, bridge].flatMap((name) => findLink(raised, name) ?? []),
  ]
}

/** Those of addresses that were not there at the commit, or were secondaries, and come now. */
function newPrefixRoutes(
  addresses: readonly Address[],
  now: NetworkState,
  raised: NetworkState,
): readonly Route[] {
  const known = new Set(raised.addresses.map(rankedId))
  const present = new Set(now.addresses.map(addressId))
  return addresses
    .filter((address) => !present.has(addressId(address)) && !known.has(rankedId(address)))
    .flatMap(prefixRoutes)
}

/** Where nothing of a slot is missing, its order stays. */
function inOrderOfNow(routes: readonly Route[], now: NetworkState): readonly Route[] {
  const unique = new Map(routes.map((route) => [routeId(route), route]))
  const present = new Map(now.routes.map((route, index) => [routeId(route), index]))
  const slots = new Map<string, Route[]>()
  for (const route of unique.values()) slots.set(slotOf(route), [...(slots.get(slotOf(route)) ?? []), route])
  const place = (route: Route): number => present.get(routeId(route)) ?? -1
  return [...slots.values()].flatMap((slot) =>
    slot.every((route) => place(route) >= 0) ? slot.sort((a, b) => place(a) - place(b)) : slot,
  )
}
