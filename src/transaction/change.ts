import { CommandError, messageOf } from '../errors.ts'
import type { ProcessId } from '../kernel/process.ts'
import { unneededStopGaps } from '../plan/advertised.ts'
import type { Difference } from '../plan/compare.ts'
import type { Detour } from '../plan/detours.ts'
import type { Sides } from '../plan/footprint.ts'
import type { Plan } from '../plan/planner.ts'
import { makePlan, stepsOf } from '../plan/planner.ts'
import type { NetworkState } from '../state.ts'
import type { Step } from '../step.ts'
import { applySteps, type ApplyOptions } from './apply.ts'
import { throwIfInterrupted } from './interrupt.ts'
import { writeJournal, type Journal } from './journal.ts'
import { endPending } from './recover.ts'
import { rollBack } from './rollback.ts'
import { advertised, settle, untilUsable, withCarriers } from './verify.ts'

export interface Change {
  readonly runDir: string
  /** With the change under way in it. */
  readonly journal: Journal & { readonly pending: NonNullable<Journal['pending']> }
  readonly sides: Sides
  /** What is expected to be done, detours and all. */
  readonly plan: Plan
  readonly detours?: readonly Detour[]
  readonly goal: NetworkState
  readonly signal: AbortSignal
  /** Called before the first change. */
  readonly guard: () => Promise<void>
  readonly say: (line: string) => void
  readonly show: (steps: readonly Step[]) => void
  /** Runs after the switch, before anything is taken from the old side; throws to take it back. What it starts it tells. */
  readonly check: (onSpawn: (child: ProcessId) => void) => Promise<void>
  /** Makes the change last: the last write of the journal, or its removal. */
  readonly commit: (state: NetworkState) => void
}

/**
 * Journal, apply, verify, check, commit; or whatever fails, roll back. Throws the failure: exit 1 or 128 + n when
 * everything was put back, 4 when not. The lock is held by the caller.
 */
export async function runChange(change: Change): Promise<NetworkState> {
  await change.guard()
  writeJournal(change.runDir, change.journal)
  try {
    const state = await perform(change)
    change.commit(state)
    return state
  } catch (error) {
    throw await takeBack(change, error)
  }
}

async function perform(change: Change): Promise<NetworkState> {
  const { sides, signal } = change
  const options = { signal, onSpawn: recorder(change), onSteps: change.show }
  const plan = await planAfterDetours(change, options)
  await applySteps(plan.prepare, options)
  if (plan.switched !== undefined) {
    expectNone(await untilUsable(sides), 'before the switch')
    await applySteps(plan.change, options)
    expectNone((await settle(plan.switched, sides)).differences, 'after the switch')
    await change.check(recorder(change))
  }
  await applySteps(plan.finish, options)
  await applySteps(unneededStopGaps(await advertised(change.goal, sides)), options)
  const { state, differences } = await settle(change.goal, sides)
  expectNone(differences, 'at the end')
  throwIfInterrupted(signal)
  return state
}

/** After a detour the network is looked at again. */
async function planAfterDetours(change: Change, options: ApplyOptions): Promise<Plan> {
  const { sides, goal, detours = [] } = change
  let now: NetworkState | undefined
  for (const detour of detours) {
    const steps = detour.steps(now ?? change.journal.pending.before)
    if (steps.length === 0) continue
    await applySteps(steps, options)
    await untilUsable(sides)
    now = await withCarriers(sides)
  }
  return now === undefined ? change.plan : makePlan(now, goal, sides)
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

async function takeBack(change: Change, error: unknown): Promise<CommandError> {
  const { journal, runDir, say, plan } = change
  say(`${messageOf(error)}; taking back ${stepsOf(plan).length} steps`)
  const { differences, refusals } = await rollBack(journal, journal.pending.before, {
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
    endPending(runDir, journal)
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
