import { findLink, type NetworkState } from '../state.ts'
import type { Step } from '../step.ts'
import type { Sides } from './footprint.ts'
import { placeOf } from './routes.ts'

/**
 * Whether the switch to the goal's side is safe where preparing it was refused in part: that side then has no less than the one
 * that is in use of what makes the host reachable, the goal's addresses and default routes.
 */
export function isFooted(now: NetworkState, goal: NetworkState, { uplink, bridge }: Sides): boolean {
  const [ahead, behind] =
    findLink(goal, uplink)?.master === bridge ? ([bridge, uplink] as const) : ([uplink, bridge] as const)
  const wanted = footing(goal, ahead)
  const has = (dev: string): number => [...footing(now, dev)].filter((item) => wanted.has(item)).length
  return has(ahead) >= has(behind)
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
