import { findLink, type NetworkState, type Route } from '../state.ts'

/** The link of the default route with the lowest metric, IPv4 first; `undefined` where there is none. */
export function defaultUplink(state: NetworkState): string | undefined {
  const defaults = state.routes.filter(
    (route) =>
      route.dst === 'default' && route.table === 'main' && route.type === 'unicast' && isUsable(route, state),
  )
  const [best] = [...defaults].sort((a, b) => a.family - b.family || a.metric - b.metric)
  return best?.hops.find(({ dev }) => dev !== undefined)?.dev
}

const isUsable = (route: Route, state: NetworkState): boolean =>
  route.hops.some(({ dev }) => dev !== undefined && findLink(state, dev)?.loopback === false)
