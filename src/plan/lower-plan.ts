import { findLink, type NetworkState } from '../state.ts'
import { addressId } from './addresses.ts'
import { compare } from './compare.ts'
import { neighbourId, nexthopId, ruleId } from './converge-others.ts'
import type { Sides } from './footprint.ts'
import { withLosses } from './lowered-goal.ts'
import { makePlan, stepsOf, type Plan } from './planner.ts'
import { repairedGoal } from './repaired-goal.ts'
import { routeId } from './routes.ts'

interface Lowering {
  readonly sides: Sides
  /** When brup committed; `undefined` while that is on trial. */
  readonly raised: NetworkState | undefined
  /** Seconds of CLOCK_BOOTTIME. */
  readonly at: number
}

/**
 * The way back. What somebody put on the uplink meanwhile would stand in the way of the switch, and what went from the
 * bridge is missed at it: first it is as brup left it, apart from what was taken away on purpose.
 */
export function planToLower(now: NetworkState, goal: NetworkState, { sides, raised, at }: Lowering): Plan {
  const direct = (from: NetworkState): Plan => makePlan(from, goal, sides)
  const isPort = findLink(now, sides.uplink)?.master === sides.bridge
  if (raised === undefined || !isPort) return direct(now)
  const tidy = repairedGoal(now, { sides, raised: stillRaised(raised, now, sides.bridge), at })
  if (compare(now, tidy, sides).length === 0) return direct(now)
  const plan = direct(tidy)
  return { ...plan, prepare: [...stepsOf(makePlan(now, tidy, sides)), ...plan.prepare] }
}

/** Without what somebody took away. */
function stillRaised(raised: NetworkState, now: NetworkState, bridge: string): NetworkState {
  if (findLink(now, bridge)?.up !== true) return raised
  const present = withLosses(now, raised, bridge)
  const still = <T>(list: (state: NetworkState) => readonly T[], idOf: (item: T) => string): readonly T[] => {
    const ids = new Set(list(present).map(idOf))
    return list(raised).filter((item) => ids.has(idOf(item)))
  }
  return {
    ...raised,
    addresses: still(({ addresses }) => addresses, addressId),
    routes: still(({ routes }) => routes, routeId),
    rules: still(({ rules }) => rules, ruleId),
    nexthops: still(({ nexthops }) => nexthops, nexthopId),
    neighbours: still(({ neighbours }) => neighbours, neighbourId),
  }
}
