import type { BrstatusArgs } from '../args.ts'
import type { Command } from '../host.ts'
import { observe } from '../kernel/observe.ts'
import { bootSeconds } from '../kernel/clock.ts'
import { tapHolders } from '../kernel/process.ts'
import { driftOf, strayPorts } from '../plan/repaired-goal.ts'
import type { NetworkState } from '../state.ts'
import { statusOutcome } from '../report/status.ts'
import { detachedTaps } from '../transaction/detached-taps.ts'
import { isLockHeld } from '../transaction/holder.ts'
import { readJournal, type Journal } from '../transaction/journal.ts'
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
    const locked = isLockHeld(runDir)
    return statusOutcome({
      bridge,
      state,
      holders: tapHolders(),
      journal,
      locked,
      drift: journal.kind === 'usable' && !locked ? driftNow(state, journal.journal) : [],
      trial: journal.kind === 'usable' ? trialSecondsLeft(journal.journal) : undefined,
      detached: detachedTaps(runDir, bridge, state.links).map(({ name }) => name),
    })
  },
}

function driftNow(state: NetworkState, { raised, pending, uplink, bridge }: Journal): readonly string[] {
  if (raised === undefined || pending !== undefined) return []
  const how = { sides: { uplink: uplink.name, bridge }, raised, at: bootSeconds() }
  return [...driftOf(state, how), ...strayPorts(state, how)]
}
