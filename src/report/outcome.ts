import type { Outcome } from '../host.ts'
import type { Difference } from '../plan/compare.ts'
import type { Sides } from '../plan/footprint.ts'
import { ownerText, type OwnerName } from '../plan/owner-names.ts'
import { stepsOf, type Plan } from '../plan/planner.ts'
import type { Step } from '../step.ts'
import { scriptOf } from './script.ts'

/** What a bridge connects its guests to. */
export interface Reach {
  readonly uplink: string | undefined
  readonly nat: boolean
}

export const reachText = ({ uplink, nat }: Reach): string =>
  nat ? 'with NAT' : uplink === undefined ? 'without an uplink' : `with the uplink ${uplink}`

const jsonSides = ({ uplink, bridge }: Sides): object => ({ uplink: uplink ?? null, bridge })

interface PlanView {
  readonly plan: Plan
  readonly sides: Sides
  /** In seconds of CLOCK_BOOTTIME. */
  readonly now: number
  /** Whoever looks after the uplink. */
  readonly owners?: readonly OwnerName[]
}

/** `--dry-run`: nothing was done. */
export const planOutcome = ({ plan, sides, now, owners = [] }: PlanView): Outcome => ({
  text: scriptOf(
    plan,
    now,
    owners.map((owner) => ownerText(owner, sides.uplink ?? '')),
  ),
  json: { ...jsonSides(sides), dryRun: true, owners, steps: stepsOf(plan) },
})

/** Without steps the bridge was up already. */
export const raisedOutcome = (
  steps: readonly Step[],
  { bridge, ...reach }: Reach & Sides,
  repaired: readonly Difference[] = [],
): Outcome => ({
  text: `${bridge} is up${steps.length === 0 ? ' already' : repaired.length > 0 ? ' again' : ''}, ${reachText(reach)}\n`,
  json: { ...jsonSides({ ...reach, bridge }), nat: reach.nat, steps, repaired },
})

/** With what could not be put back, if anything. */
export const loweredOutcome = (
  steps: readonly Step[],
  { uplink, bridge }: Sides,
  losses: readonly Difference[],
): Outcome => ({
  text: `${bridge} is down${uplink === undefined ? '' : `; ${losses.length > 0 ? 'what could be is' : `${uplink} is`} as it was before`}\n`,
  json: { ...jsonSides({ uplink, bridge }), steps, differences: losses },
})

export const absentOutcome = (bridge: string): Outcome => ({
  text: `${bridge} is not there; nothing to do\n`,
  json: { bridge },
})
