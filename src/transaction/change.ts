import { CommandError, messageOf } from '../errors.ts'
import type { ProcessId } from '../kernel/process.ts'
import { isResolvedStep } from '../owner-step.ts'
import { isUnneeded, unneededStopGaps } from '../plan/advertised.ts'
import type { Difference } from '../plan/compare.ts'
import type { Sides } from '../plan/footprint.ts'
import { withOwnersOwn } from '../plan/owners-own.ts'
import { makePlan, stepsOf } from '../plan/planner.ts'
import type { NetworkState } from '../state.ts'
import type { Step } from '../step.ts'
import { applySteps, type ApplyOptions } from './apply.ts'
import { throwIfInterrupted } from './interrupt.ts'
import { writeJournal, type Journal } from './journal.ts'
import { endPending } from './recover.ts'
import { rollBack } from './rollback.ts'
import { advertised, settle, settleQuickly, untilUsable, withCarriers } from './verify.ts'

/** What was reached, and by which steps. */
export interface Changed {
  readonly state: NetworkState
  readonly steps: readonly Step[]
}

export interface Change {
  readonly runDir: string
  /** With the change under way in it. */
  readonly journal: Journal & { readonly pending: NonNullable<Journal['pending']> }
  readonly sides: Sides
  /** What comes before the plan, if anything: the network is looked at again after it. */
  readonly lift?: readonly Step[]
  readonly goal: (now: NetworkState) => NetworkState
  readonly signal: AbortSignal
  /** Called before the first change. */
  readonly guard: () => Promise<void>
  readonly say: (line: string) => void
  readonly show: (steps: readonly Step[]) => void
  /**
   * Runs after the switch, before anything is taken from the old side, or, without a switch, at the end; throws to take it
   * back. What it starts it tells.
   */
  readonly check: (onSpawn: (child: ProcessId) => void) => Promise<void>
  /** Makes the change last: the last write of the journal, or its removal. */
  readonly commit: (state: NetworkState) => void
}

/**
 * Journal, apply, verify, check, commit; or whatever fails, roll back. Throws the failure: exit 1 or 128 + n when
 * everything was put back, 4 when not. The lock is held by the caller.
 */
export async function runChange(change: Change): Promise<Changed> {
  await change.guard()
  writeJournal(change.runDir, change.journal)
  const steps: Step[] = []
  const onSteps = (part: readonly Step[]): void => {
    steps.push(...part)
    change.show(part)
  }
  try {
    const state = await perform(change, { signal: change.signal, onSpawn: recorder(change), onSteps })
    change.commit(state)
    return { state, steps }
  } catch (error) {
    throw await takeBack(change, causeOf(error, change.signal), steps.length)
  }
}

/** A signal that was for all of the terminal may have ended a child of ours before it had a session of its own. */
function causeOf(error: unknown, signal: AbortSignal): unknown {
  try {
    throwIfInterrupted(signal)
    return error
  } catch (interruption) {
    return interruption
  }
}

async function perform(change: Change, options: ApplyOptions): Promise<NetworkState> {
  const { sides, signal } = change
  const now = await liftedState(change, options)
  const goal = change.goal(now)
  const plan = makePlan(now, goal, sides)
  await applySteps(plan.prepare, options)
  if (plan.switched !== undefined) {
    expectNone(await untilUsable(sides), 'before the switch')
    await applySteps(plan.change, options)
    expectNone((await settleQuickly(plan.switched, sides)).differences, 'after the switch')
    await change.check(recorder(change))
  }
  await applySteps(plan.finish, options)
  if (stepsOf(plan).some(({ op }) => op === 'nm.up')) await completeUplink(goal, sides, options)
  if (plan.switched === undefined) await change.check(recorder(change))
  await applySteps(unneededStopGaps(await advertised(goal, sides)), options)
  const state = await settled(change, goal)
  throwIfInterrupted(signal)
  return state
}

async function settled({ sides, say }: Change, goal: NetworkState): Promise<NetworkState> {
  const seen = await settle(goal, sides)
  const granted = seen.differences.length === 0 ? goal : withOwnersOwn(goal, seen.state, sides)
  if (granted === goal) {
    expectNone(seen.differences, 'at the end')
    return seen.state
  }
  const { state, differences } = await settle(granted, sides, 0)
  expectNone(differences, 'at the end')
  for (const line of seen.differences.filter((each) => /^too much: (?:address|route) /u.test(each)))
    say(line.replace('too much', `${sides.uplink ?? ''} has besides, by its own manager`))
  return state
}

async function liftedState(
  { sides, journal, lift = [] }: Change,
  options: ApplyOptions,
): Promise<NetworkState> {
  if (lift.length === 0) return journal.pending.before
  await applySteps(lift, options)
  expectNone(await untilUsable(sides), 'once the links are up')
  return withCarriers(sides)
}

/** What is too much may have come from it this moment; systemd-resolved it tells itself. */
function isMissing(step: Step, { routes }: NetworkState): boolean {
  if (step.op === 'addr.del' || step.op === 'route.del' || isResolvedStep(step)) return false
  return !('route' in step) || !isUnneeded(step.route, routes)
}

/** It does so in the first tenths of a second. */
const looks = 6

/**
 * NetworkManager takes all IPv6 off the uplink, and puts there what it knows of: the rest at once, what routers advertise when they have
 * done so.
 */
async function completeUplink(goal: NetworkState, sides: Sides, options: ApplyOptions): Promise<void> {
  for (let look = 0; look < looks; look += 1) {
    const { state } = await settleQuickly(goal, sides, 0)
    const missing = stepsOf(makePlan(state, goal, sides)).filter((step) => isMissing(step, state))
    // It may be there first.
    await applySteps(missing, { ...options, force: true })
  }
}

/** Each process is in the journal before it does anything: should we die, recovery ends it first. */
const recorder =
  ({ runDir, journal }: Change) =>
  (child: ProcessId): void => {
    writeJournal(runDir, { ...journal, pending: { ...journal.pending, child } })
  }

function expectNone(differences: readonly Difference[], when: string): void {
  if (differences.length === 0) return
  throw new CommandError('failed', `the network is not as planned ${when}`, { differences })
}

async function takeBack(change: Change, error: unknown, count: number): Promise<CommandError> {
  const { journal, runDir, say } = change
  say(`${messageOf(error)}; taking back ${count} steps`)
  const { differences, refusals } = await rollBack(journal, journal.pending.before, {
    runDir,
    onSpawn: recorder(change),
    onSteps: change.show,
  })
  if (differences.length > 0)
    return new CommandError('incomplete', `${messageOf(error)}; the rollback is incomplete`, {
      hint: `run ${journal.pending.command} again once what is listed is mended`,
      differences: [...differences, ...refusals.map((text) => `refused: ${text}`)],
      cause: error,
    })
  try {
    await endPending(runDir, journal)
  } catch (problem) {
    // The network is back all the same; the next command looks at it again and finds nothing to do.
    say(messageOf(problem))
  }
  return asFailure(error)
}

function asFailure(error: unknown): CommandError {
  if (error instanceof CommandError && error.kind === 'interrupted')
    return new CommandError('interrupted', `${error.message}; everything was put back`, { exit: error.exit })
  return new CommandError('failed', `${messageOf(error)}; everything was put back`, {
    cause: error,
    ...(error instanceof CommandError ? { differences: error.differences } : {}),
  })
}
