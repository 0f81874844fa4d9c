import type { NetworkState } from '../state.ts'
import { addressId } from './addresses.ts'
import { isStopGap } from './advertised.ts'
import type { Sides } from './footprint.ts'
import { isNetworkds } from './networkd.ts'
import { isOnDev, routeId, slotOf } from './routes.ts'

/**
 * The goal, and besides what a manager that has the uplink again has put on it of its own: its settings may have changed meanwhile, or
 * its lease, and that is no reason to stay on the bridge. Where nobody manages it, the goal itself.
 */
export function withOwnersOwn(goal: NetworkState, actual: NetworkState, { uplink }: Sides): NetworkState {
  if (uplink === undefined || ![goal, actual].every((state) => isManaged(state, uplink))) return goal
  return {
    ...goal,
    addresses: merged(
      goal.addresses,
      actual.addresses.filter(({ dev }) => dev === uplink),
      {
        idOf: addressId,
        orderOf: ({ dev, family }) => `${dev} ${family}`,
      },
    ),
    routes: merged(
      goal.routes,
      actual.routes.filter((route) => isOnDev(route, [uplink]) && !isStopGap(route)),
      { idOf: routeId, orderOf: slotOf },
    ),
    // NetworkManager tells it of the uplink itself.
    resolved: goal.manager?.uplink?.managed === true ? actual.resolved : goal.resolved,
  }
}

const isManaged = (state: NetworkState, uplink: string): boolean =>
  isNetworkds(state, uplink) || state.manager?.uplink?.managed === true

/** With what is there besides, at the place where it is: those of one `orderOf` stand in an order. */
function merged<T>(
  goal: readonly T[],
  actual: readonly T[],
  { idOf, orderOf }: { readonly idOf: (item: T) => string; readonly orderOf: (item: T) => string },
): readonly T[] {
  const wanted = new Set(goal.map(idOf))
  const orders = new Set(actual.filter((item) => !wanted.has(idOf(item))).map(orderOf))
  return [
    ...goal.filter((item) => !orders.has(orderOf(item))),
    ...[...orders].flatMap((order) => {
      const left = goal.filter((item) => orderOf(item) === order)
      const placed = actual
        .filter((item) => orderOf(item) === order)
        .map((item) => (wanted.has(idOf(item)) ? (left.shift() ?? item) : item))
      return [...placed, ...left]
    }),
  ]
}
