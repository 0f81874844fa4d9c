import type { BrstatusArgs } from '../args.ts'
import type { Command } from '../host.ts'
import { observe } from '../kernel/observe.ts'
import { tapHolders } from '../kernel/process.ts'
import { statusOutcome } from '../report/status.ts'
import { detachedTaps } from '../transaction/detached-taps.ts'
import { isLockHeld } from '../transaction/holder.ts'
import { readJournal } from '../transaction/journal.ts'
import { runDirOf } from '../transaction/run-dir.ts'
import { trialSecondsLeft } from '../transaction/trial.ts'
import { bridgeOf } from './wish.ts'

export const brstatus: Command<BrstatusArgs> = {
  name: 'brstatus',
  bridge: bridgeOf,
  run: async (args, host) => {
    const bridge = bridgeOf(args, host)
    const runDir = runDirOf(host.env)
    const journal = readJournal(runDir, bridge)
    const state = await observe([])
    return statusOutcome({
      bridge,
      state,
      holders: tapHolders(),
      journal,
      locked: isLockHeld(runDir),
      trial: journal.kind === 'usable' ? trialSecondsLeft(journal.journal) : undefined,
      detached: detachedTaps(runDir, bridge, state.links).map(({ name }) => name),
    })
  },
}
