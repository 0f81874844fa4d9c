import type { Family } from '../names.ts'
import { findLink, portsOf, type NetworkState } from '../state.ts'
import { compare, type Difference } from './compare.ts'
import type { Sides } from './footprint.ts'
import type { Opening } from './firewall-rules.ts'
import { isOurBridge } from './marks.ts'
import { asManaged } from './compare-networkd.ts'
import { rebase } from './rebase.ts'
import { repairedGoal } from './repaired-goal.ts'

/** What brup left behind, as its journal has it. */
export interface Left {
  readonly sides: Sides
  readonly id: string
  readonly adopted: boolean
  /** When brup committed. */
  readonly raised: NetworkState
  /** Now, in seconds of CLOCK_BOOTTIME. */
  readonly at: number
  /** The families that are forwarded for its guests. */
  readonly routed: readonly Family[]
  /** What its guests are let through the host's firewall by; `undefined`: that is to stay as it is. */
  readonly opening: Opening | undefined
}

/** Where the host should be on the bridge. */
export const repairGoal = (now: NetworkState, left: Left): NetworkState =>
  rebase(repairedGoal(asManaged(now, left.raised), left), now, left.sides)

/**
 * What is no longer as brup left it, and can be mended; a line each, none for what was added to the bridge on purpose. Of a bridge
 * that is gone, what was on it is not listed.
 */
export function driftOf(now: NetworkState, left: Left): readonly Difference[] {
  const { sides, id, adopted, raised } = left
  const { uplink, bridge } = sides
  const link = findLink(now, bridge)
  if (uplink !== undefined && findLink(now, uplink) === undefined) return [`missing: link ${uplink}`]
  if (link !== undefined && !isOurBridge(link, { id, bridge, adopted, raised }))
    return [`different: link ${bridge} is not the one that brup made`]
  const differences = compare(now, { ...repairGoal(now, left), sysctls: now.sysctls }, sides)
  const isOfLinks = (difference: Difference): boolean =>
    /^(missing|different): link |^too much: /.test(difference)
  return link === undefined ? differences.filter(isOfLinks) : differences
}

/** Ports that nobody without our mark may take away: reported only. */
export function strayPorts(
  now: NetworkState,
  { sides: { uplink, bridge }, raised }: Left,
): readonly Difference[] {
  const old = new Set(portsOf(raised, bridge).map(({ name }) => name))
  return portsOf(now, bridge).flatMap(({ name, kind, up, carrier }) => {
    if (name === uplink || old.has(name)) return []
    if (kind !== 'tun') return [`too much: port ${name}, which is no tap`]
    return up && !carrier ? [`stale: port ${name}, a tap that nobody holds`] : []
  })
}
