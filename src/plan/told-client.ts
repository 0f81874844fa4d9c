import { contains, parseIp } from '../names.ts'
import type { DhcpClient, InstalledClient } from '../owner-state.ts'
import type { Address, NetworkState, Route } from '../state.ts'
import { addressId, subnetOf } from './addresses.ts'
import { isOnDev, routeId } from './routes.ts'

/** The client that the user told brup to begin on the bridge, with the settings that the machine has for it. */
export function toldClient(bridge: string, { name, path, folder, script = '' }: InstalledClient): DhcpClient {
  const words = {
    dhclient: [
      ...['-4', '-lf', `${folder}/dhclient.${bridge}.leases`, '-pf', `/run/dhclient.${bridge}.pid`],
      bridge,
    ],
    dhcpcd: ['-4', bridge],
    udhcpc: ['-i', bridge, '-p', `${folder}/udhcpc.${bridge}.pid`, '-s', script],
  }
  return { name, families: [4], dev: bridge, path, words: words[name], env: {}, confined: false }
}

export const asksFor4 = (state: NetworkState | undefined, dev: string): boolean =>
  state?.clients?.some((client) => client.dev === dev && client.families.includes(4)) === true

/** The IPv4 addresses that a link has of its own, not by autoconfiguration. */
export const own4 = (state: NetworkState, dev: string): readonly Address[] =>
  state.addresses.filter((address) => address.dev === dev && address.family === 4 && address.scope !== 'link')

/**
 * The state of the commit as if the bridge had had then what a client begun there has got since, and what needs that: none of it goes
 * to the uplink.
 */
export function asIfLeased(raised: NetworkState, now: NetworkState, bridge: string): NetworkState {
  const own = own4(now, bridge)
  const dynamic = own.filter(({ validUntil }) => validUntil !== undefined)
  // Not every script tells the kernel of the lease's end.
  const leased = dynamic.length > 0 ? dynamic : own
  const ids = new Set([...raised.addresses.map(addressId), ...raised.routes.map(routeId)])
  return {
    ...raised,
    addresses: [...raised.addresses, ...leased.filter((address) => !ids.has(addressId(address)))],
    routes: [
      ...raised.routes,
      ...now.routes.filter(
        (route) => isOnDev(route, [bridge]) && needs(route, leased) && !ids.has(routeId(route)),
      ),
    ],
  }
}

/** Whether a route goes with these addresses. */
const needs = ({ family, protocol, source, dst, hops }: Route, leased: readonly Address[]): boolean =>
  family === 4 &&
  (protocol === 'dhcp' ||
    leased.some(
      (address) =>
        source === address.local ||
        dst === subnetOf(address) ||
        hops.some(({ gateway }) => gateway !== undefined && isIn(address, gateway)),
    ))

function isIn({ family, local, prefixLength }: Address, gateway: string): boolean {
  const ip = parseIp(gateway)
  return ip !== undefined && contains({ family, text: local, prefixLength }, ip)
}

/**
 * What is seen less the lease that a client has got on a link that has no IPv4 address in the goal: nobody can foresee it.
 */
export function withoutNewLeases(seen: NetworkState, goal: NetworkState): NetworkState {
  const devs = (goal.clients ?? [])
    .filter(({ families, ended }) => families.includes(4) && ended !== true)
    .map(({ dev }) => dev)
    .filter((dev) => own4(goal, dev).length === 0 && own4(seen, dev).length > 0)
  if (devs.length === 0) return seen
  const wanted = new Set(goal.routes.map(routeId))
  return {
    ...seen,
    addresses: seen.addresses.filter((address) => !devs.some((dev) => own4(seen, dev).includes(address))),
    routes: seen.routes.filter(
      (route) => route.family !== 4 || wanted.has(routeId(route)) || !isOnDev(route, devs),
    ),
  }
}
