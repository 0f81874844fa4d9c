import type { BrstatusArgs } from '../args.ts'
import { loadConfig } from '../config.ts'
import type { Command } from '../host.ts'
import { observe } from '../kernel/observe.ts'
import { tapHolders } from '../kernel/process.ts'
import { statusOutcome } from '../report/status.ts'
import { isLockHeld } from '../transaction/holder.ts'
import { readJournal } from '../transaction/journal.ts'
import { runDirOf } from '../transaction/run-dir.ts'

export const brstatus: Command<BrstatusArgs> = {
  name: 'brstatus',
  run: async (args, host) => {
    const bridge = args.bridge ?? loadConfig(args.config, host.env).defaultBridge
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
