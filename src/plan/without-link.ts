import { type NetworkState, type Nexthop } from '../state.ts'
import { isOnDev } from './routes.ts'

/** The state without a link that is not there, and without what cannot be where there is no such link. Rules may name it. */
export function withoutLink(state: NetworkState, dev: string): NetworkState {
  const nexthops = nexthopsWithout(state.nexthops, dev)
  const ids = new Set(nexthops.map(({ id }) => id))
  return {
    links: state.links
      .filter(({ name }) => name !== dev)
      .map((link) => (link.master === dev ? { ...link, master: undefined } : link)),
    addresses: state.addresses.filter((address) => address.dev !== dev),
    routes: state.routes.filter((route) =>
      route.nhid === undefined ? !isOnDev(route, [dev]) : ids.has(route.nhid),
    ),
    rules: state.rules,
    nexthops,
    neighbours: state.neighbours.filter((neighbour) => neighbour.dev !== dev),
    sysctls: state.sysctls.filter((sysctl) => sysctl.dev !== dev),
    routing: state.routing,
    dnsmasq: state.dnsmasq,
    firewall: state.firewall,
    clients: state.clients?.filter((client) => client.dev !== dev),
    manager: state.manager,
    networkd: state.networkd && {
      ...state.networkd,
      managed: state.networkd.managed.filter((link) => link.dev !== dev),
    },
    resolvconf: state.resolvconf,
    resolved: state.resolved?.filter((link) => link.dev !== dev),
  }
}

/** Next-hop objects go with their link, members leave their groups, and a group without members goes too. */
export const nexthopsWithout = (nexthops: readonly Nexthop[], dev: string): readonly Nexthop[] =>
  withoutObjects(nexthops, new Set(nexthops.filter((nexthop) => nexthop.dev === dev).map(({ id }) => id)))

export function withoutObjects(nexthops: readonly Nexthop[], gone: ReadonlySet<number>): readonly Nexthop[] {
  return nexthops.flatMap((nexthop) => {
    const group = nexthop.group.filter(({ id }) => !gone.has(id))
    const isEmptied = nexthop.group.length > 0 && group.length === 0
    return gone.has(nexthop.id) || isEmptied ? [] : [{ ...nexthop, group }]
  })
}
