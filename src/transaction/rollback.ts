import { CommandError, messageOf } from '../errors.ts'
import { letResolvedWrite } from '../kernel/resolved.ts'
import { compare, type Difference } from '../plan/compare.ts'
import { isFooted, withoutRoomMaking } from '../plan/footing.ts'
import { isMove, type Sides } from '../plan/footprint.ts'
import { guardSteps } from '../plan/networkd.ts'
import { readMark, temporaryNameOf } from '../plan/marks.ts'
import { makePlan, stepsOf, type Plan } from '../plan/planner.ts'
import { rebaseForRollback } from '../plan/rebase.ts'
import { findLink, type NetworkState } from '../state.ts'
import { applySteps, type ApplyOptions } from './apply.ts'
import { sidesOf, type Journal } from './journal.ts'
import { routingBefore } from './routed.ts'
import { observeSides, settle, untilUsable } from './verify.ts'

/**
 * A rollback whose steps are refused looks again and plans anew. The last times it goes on past a refusal, in smaller steps: it makes
 * room for what was refused nowhere, and looks at the network again after the switch.
 */
const attempts = 7
const forced = 4

export interface Rollback {
  readonly differences: readonly Difference[]
  /** What was refused on the way. */
  readonly refusals: readonly string[]
}

interface RollbackOptions extends Pick<ApplyOptions, 'onSpawn' | 'onSteps'> {
  readonly runDir: string
}

/**
 * Back to the state before: the same planner, with the snapshot as its goal, until the network is as it was.
 * Nothing interrupts it, and it never throws.
 */
export async function rollBack(
  journal: Journal,
  before: NetworkState,
  options: RollbackOptions,
): Promise<Rollback> {
  const result = await attemptAll(journal, before, options)
  letResolvedWrite()
  return result
}

async function attemptAll(
  journal: Journal,
  before: NetworkState,
  options: RollbackOptions,
): Promise<Rollback> {
  const refusals: string[] = []
  let untold: string[] = []
  let differences: readonly Difference[] = ['unknown: the network could not be read']
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    try {
      const sides = await sidesNow(journal, before)
      const force = attempt > attempts - forced
      const missed: string[] = []
      const onUntold = (message: string): number => missed.push(`unknown: ${message}`)
      const how: ApplyOptions = { ...tolerant(options), signal: undefined, force, onUntold }
      const now = await guarded(await observeSides(sides), { before, sides, how })
      const routing = routingBefore(before, { runDir: options.runDir, journal, now })
      const goal = rebaseForRollback({ ...before, routing }, now, sides)
      const plan = makePlan(now, goal, sides)
      if (stepsOf(plan).length === 0 && compare(now, goal, sides).length === 0)
        return { differences: [...untold, ...missed], refusals }
      untold = missed
      await carryOut(plan, sides, how)
      ;({ differences } = await settle(goal, sides, force && attempt < attempts ? 0 : undefined))
      if (differences.length === 0) return { differences: untold, refusals }
    } catch (error) {
      refusals.push(messageOf(error))
    }
  }
  return { differences, refusals }
}

/** The network, once NetworkManager answers, and systemd-networkd has let go of what it would touch on the way. */
async function guarded(
  now: NetworkState,
  { before, sides, how }: { before: NetworkState; sides: Sides; how: ApplyOptions },
): Promise<NetworkState> {
  // It would take off the uplink what it remembers, once it answers again.
  if (how.force !== true && now.manager?.silent === true && before.manager?.uplink?.managed === true)
    throw new CommandError('failed', 'NetworkManager does not answer')
  const steps = guardSteps(now, before, sides)
  if (steps.length === 0) return now
  await applySteps(steps, how)
  return observeSides(sides)
}

/** Where the preparation was refused so far that the switch would cost more than it gives, the side in use is left in use. */
async function carryOut(plan: Plan, sides: Sides, how: ApplyOptions): Promise<void> {
  const { prepare, change, finish, switched } = plan
  const force = how.force === true
  await applySteps(force ? withoutRoomMaking(prepare) : prepare, how)
  if (switched !== undefined) {
    await untilUsable(sides)
    if (force && isMove(sides) && !isFooted(await observeSides(sides), switched, sides)) return
  }
  await applySteps(change, how)
  if (!force) await applySteps(finish, how)
}

/** A journal that cannot be written (a full disk) is no reason to leave the network half-way. */
const tolerant = (options: Pick<ApplyOptions, 'onSpawn' | 'onSteps'>): typeof options => ({
  ...options,
  onSpawn: (child) => {
    try {
      options.onSpawn(child)
    } catch {
      // Without the child in the journal a recovery cannot end it; the rollback itself does not need it.
    }
  },
})

/**
 * The bridge that a rollback may touch: the one that was there before, or the one with our mark. One that somebody
 * else made in the same instant is neither; then there is only what may be left of ours under its first name. Where
 * there is none at all, rules may be left that name it.
 */
async function sidesNow(journal: Journal, before: NetworkState): Promise<Sides> {
  const named = sidesOf(journal)
  if (findLink(before, journal.bridge) !== undefined) return named
  const now = await observeSides(named)
  const bridge = findLink(now, journal.bridge)
  const first = temporaryNameOf(journal.id)
  const isOurs =
    bridge === undefined ? findLink(now, first) === undefined : readMark(bridge)?.id === journal.id
  return isOurs ? named : { ...named, bridge: first, finalName: journal.bridge }
}
