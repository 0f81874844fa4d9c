import type { BrstatusArgs } from '../args.ts'
import type { Command } from '../host.ts'
import { observe } from '../kernel/observe.ts'
import { tapHolders } from '../kernel/process.ts'
import { driftOf, strayPorts, type Left } from '../plan/drift.ts'
import type { OwnerName } from '../plan/owner-names.ts'
import { statusOutcome } from '../report/status.ts'
import { detachedTaps } from '../transaction/detached-taps.ts'
import { isLockHeld } from '../transaction/holder.ts'
import { leftBy, readJournal, sidesOf, type Journal, type JournalSight } from '../transaction/journal.ts'
import { runDirOf } from '../transaction/run-dir.ts'
import { trialSecondsLeft } from '../transaction/trial.ts'
import { observeQuiet } from '../transaction/verify.ts'
import { ownersOf } from './owners.ts'
import { bridgeOf } from './wish.ts'

export const brstatus: Command<BrstatusArgs> = {
  name: 'brstatus',
  bridge: bridgeOf,
  run: async (args, host) => {
    const bridge = bridgeOf(args, host)
    const runDir = runDirOf(host.env)
    const journal = readJournal(runDir, bridge)
    const left = settledLeft(journal)
    const state = left === undefined ? await observe([]) : await observeQuiet(left.sides)
    const locked = isLockHeld(runDir)
    return statusOutcome({
      bridge,
      state,
      holders: tapHolders(),
      journal,
      locked,
      drift: left === undefined || locked ? [] : [...driftOf(state, left), ...strayPorts(state, left)],
      owners: journal.kind === 'usable' ? ownersIn(journal.journal) : [],
      trial: journal.kind === 'usable' ? trialSecondsLeft(journal.journal) : undefined,
      detached: detachedTaps(runDir, bridge, state.links).map(({ name }) => name),
    })
  },
}

const ownersIn = (journal: Journal): readonly OwnerName[] =>
  ownersOf(journal.original, journal.raised ?? journal.pending?.trial?.raised, sidesOf(journal))

/** In the middle of a change nothing is as brup left it. */
const settledLeft = (sight: JournalSight): Left | undefined =>
  sight.kind === 'usable' && sight.journal.pending === undefined ? leftBy(sight.journal) : undefined
