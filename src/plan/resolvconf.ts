import type { ResolvconfRecord } from '../owner-state.ts'
import { findLink, type NetworkState } from '../state.ts'
import type { Step } from '../step.ts'
import type { Difference } from './compare.ts'
import { isMove, type Sides } from './footprint.ts'

/**
 * The records of resolvconf that go by the name of the bridge: the DHCP client there makes them, and ends without a word. Those of
 * the uplink stay as they are all the time, so there is always one.
 */

const without = (
  records: readonly ResolvconfRecord[],
  others: readonly ResolvconfRecord[],
): readonly ResolvconfRecord[] => {
  const names = new Set(others.map(({ name }) => name))
  return records.filter(({ name }) => !names.has(name))
}

/** While the host is on the bridge they are the affair of who makes them. */
const isRaised = (state: NetworkState, { uplink, bridge }: Sides): boolean =>
  findLink(state, uplink)?.master === bridge

export function convergeResolvconf(from: NetworkState, to: NetworkState, sides: Sides): readonly Step[] {
  if (from.resolvconf === undefined || to.resolvconf === undefined || !isMove(sides)) return []
  const leaving = isRaised(to, sides) ? [] : without(from.resolvconf, to.resolvconf)
  return [
    ...without(to.resolvconf, from.resolvconf).map((record): Step => ({ op: 'resolvconf.add', record })),
    ...leaving.map((record): Step => ({ op: 'resolvconf.del', record })),
  ]
}

export function compareResolvconf(
  actual: NetworkState,
  goal: NetworkState,
  sides: Sides,
): readonly Difference[] {
  if (actual.resolvconf === undefined || goal.resolvconf === undefined || !isMove(sides)) return []
  const left = isRaised(goal, sides) ? [] : without(actual.resolvconf, goal.resolvconf)
  return [
    ...without(goal.resolvconf, actual.resolvconf).map(({ name }) => `missing: resolvconf record ${name}`),
    ...left.map(({ name }) => `too much: resolvconf record ${name}`),
  ]
}
