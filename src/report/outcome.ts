import type { Outcome } from '../host.ts'
import type { Sides } from '../plan/footprint.ts'
import { stepsOf, type Plan } from '../plan/planner.ts'
import { scriptOf } from './script.ts'

/** `--dry-run`: nothing was done. */
export const planOutcome = (plan: Plan, sides: Sides, now: number): Outcome => ({
  text: scriptOf(plan, now),
  json: { ...sides, dryRun: true, steps: stepsOf(plan) },
})

/** Without a plan the bridge was up already. */
export const raisedOutcome = (plan: Plan | undefined, sides: Sides): Outcome => ({
  text: `${sides.bridge} is up${plan === undefined ? ' already' : ''}, with the uplink ${sides.uplink}\n`,
  json: { ...sides, steps: plan === undefined ? [] : stepsOf(plan) },
})

export const loweredOutcome = (plan: Plan, { uplink, bridge }: Sides): Outcome => ({
  text: `${bridge} is down; ${uplink} is as it was before\n`,
  json: { bridge, uplink, steps: stepsOf(plan) },
})

export const absentOutcome = (bridge: string): Outcome => ({
  text: `${bridge} is not there; nothing to do\n`,
  json: { bridge },
})
