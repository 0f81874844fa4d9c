import type { BrstatusArgs } from '../args.ts'
import type { Command } from '../host.ts'
import { observe } from '../kernel/observe.ts'
import { tapHolders } from '../kernel/process.ts'
import { statusOutcome } from '../report/status.ts'
import { isLockHeld } from '../transaction/holder.ts'
import { readJournal } from '../transaction/journal.ts'
import { runDirOf } from '../transaction/run-dir.ts'
import { bridgeOf } from './wish.ts'

export const brstatus: Command<BrstatusArgs> = {
  name: 'brstatus',
  bridge: bridgeOf,
  run: async (args, host) => {
    const bridge = bridgeOf(args, host)
    const runDir = runDirOf(host.env)
    return statusOutcome({
      bridge,
      state: await observe([]),
      holders: tapHolders(),
      journal: readJournal(runDir, bridge),
      locked: isLockHeld(runDir),
    })
  },
}
