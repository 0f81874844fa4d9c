import type { NetworkState } from '../state.ts'
import type { Step } from '../step.ts'
import { convergeAddresses } from './converge-addresses.ts'
import { convergeRoutes } from './converge-routes.ts'
import type { Move } from './footprint.ts'
import { isOnDev } from './routes.ts'

/** What puts all IPv6 of the uplink there again, once somebody has turned it off and on there. */
export function ipv6Anew(goal: NetworkState, sides: Move): readonly Step[] {
  const { uplink } = sides
  const emptied: NetworkState = {
    ...goal,
    addresses: goal.addresses.filter(({ dev, family }) => dev !== uplink || family !== 6),
    routes: goal.routes.filter((route) => route.family !== 6 || !isOnDev(route, [uplink])),
  }
  const addresses = convergeAddresses(emptied, goal, sides)
  const routes = convergeRoutes(emptied, goal, { sides, addresses })
  return [...addresses.add, ...routes.first, ...routes.byObject]
}
