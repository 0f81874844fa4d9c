import { findLink, type NetworkState } from '../state.ts'
import type { Step } from '../step.ts'
import type { Move } from './footprint.ts'
import { placeOf } from './routes.ts'

/**
 * Whether the switch is safe where preparing it was refused in part: of what makes the host reachable, addresses and default
 * routes, the side that it leads to has all that was planned, or no less than the one that is in use.
 */
export function isFooted(now: NetworkState, switched: NetworkState, { uplink, bridge }: Move): boolean {
  const isUp = findLink(switched, uplink)?.master === bridge
  const [ahead, behind] = isUp ? [bridge, uplink] : [uplink, bridge]
  const planned = footing(switched, ahead)
  const has = (dev: string): number => [...footing(now, dev)].filter((item) => planned.has(item)).length
  return has(ahead) === planned.size || has(ahead) >= has(behind)
}

const footing = ({ addresses, routes }: NetworkState, dev: string): ReadonlySet<string> =>
  new Set([
    ...addresses.flatMap((address) =>
      address.dev === dev ? [`address ${address.local}/${address.prefixLength}`] : [],
    ),
    ...routes.flatMap(({ family, table, dst, type, hops }) =>
      dst === 'default' && type === 'unicast'
        ? hops.flatMap((hop) =>
            hop.dev === dev ? [`default ${family} ${table} ${String(hop.gateway)}`] : [],
          )
        : [],
    ),
  ])

/**
 * The steps less the deletions that make room for what the plan has yet to add in the same place: should that be refused,
 * nothing would be left there.
 */
export function withoutRoomMaking(steps: readonly Step[]): readonly Step[] {
  const coming = new Set(steps.filter((step) => !isDeletion(step)).map(placeOfStep))
  return steps.filter((step) => !isDeletion(step) || !coming.has(placeOfStep(step)))
}

const isDeletion = ({ op }: Step): boolean => op === 'route.del' || op === 'addr.del'

function placeOfStep(step: Step): string | undefined {
  if ('route' in step) return `${placeOf(step.route)} ${step.route.hops.map(({ dev }) => dev).join(' ')}`
  return 'address' in step ? `${step.address.dev} ${step.address.local}` : undefined
}
