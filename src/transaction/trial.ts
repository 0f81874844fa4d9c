import { monotonicSeconds } from '../kernel/clock.ts'
import type { NetworkState } from '../state.ts'
import { writeJournal, type Journal } from './journal.ts'

/** A change that is applied and verified, and taken back when nobody accepts it in time. */

export type PendingJournal = Journal & { readonly pending: NonNullable<Journal['pending']> }

/** From here on the change is on trial for so many seconds, whoever is there to see it. */
export function beginTrial(
  runDir: string,
  journal: PendingJournal,
  { seconds, raised }: { seconds: number; raised: NetworkState },
): void {
  const trial = { until: monotonicSeconds() + seconds, raised }
  writeJournal(runDir, { ...journal, pending: { ...journal.pending, child: undefined, trial } })
}

/** Seconds until it is taken back, from 0; `undefined` where nothing is on trial. */
export function trialSecondsLeft({ pending }: Journal): number | undefined {
  if (pending?.trial === undefined) return undefined
  return Math.max(0, pending.trial.until - monotonicSeconds())
}

export const isOnTrial = (journal: Journal): boolean => (trialSecondsLeft(journal) ?? 0) > 0

/** The commit of a change on trial. Returns false when nothing is. */
export function acceptTrial(runDir: string, journal: Journal): boolean {
  const raised = journal.pending?.trial?.raised
  if (raised === undefined) return false
  writeJournal(runDir, { ...journal, raised, pending: undefined })
  return true
}
