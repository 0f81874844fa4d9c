import type { NetworkState } from '../state.ts'
import { addressId } from './addresses.ts'
import type { Sides } from './footprint.ts'
import { isNetworkds } from './networkd.ts'
import { isOnDev, routeId } from './routes.ts'

/**
 * The goal, and besides what a manager that has the uplink again has put on it of its own: its settings may have changed meanwhile, or
 * its lease, and that is no reason to stay on the bridge.
 */
export function withOwnersOwn(goal: NetworkState, actual: NetworkState, { uplink }: Sides): NetworkState {
  if (uplink === undefined || ![goal, actual].every((state) => isManaged(state, uplink))) return goal
  const [addresses, routes] = [new Set(goal.addresses.map(addressId)), new Set(goal.routes.map(routeId))]
  return {
    ...goal,
    addresses: [
      ...goal.addresses,
      ...actual.addresses.filter((address) => address.dev === uplink && !addresses.has(addressId(address))),
    ],
    routes: [
      ...goal.routes,
      ...actual.routes.filter((route) => isOnDev(route, [uplink]) && !routes.has(routeId(route))),
    ],
  }
}

const isManaged = (state: NetworkState, uplink: string): boolean =>
  isNetworkds(state, uplink) || state.manager?.uplink?.managed === true
