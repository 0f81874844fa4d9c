import type { Host } from '../host.ts'
import { sleep } from '../kernel/clock.ts'
import { readJournal } from '../transaction/journal.ts'
import { withLock } from '../transaction/lock.ts'
import { recover } from '../transaction/recover.ts'
import { trialSecondsLeft } from '../transaction/trial.ts'
import { words } from '../transaction/watchdog.ts'

/** How often a trial is looked at, in milliseconds. */
const pause = 200
/** A command that lives takes its trial back itself; this long after the time is over it has had its chance. */
const grace = 500

interface Watched {
  readonly runDir: string
  readonly bridge: string
}

/**
 * What the process beside brup and brdown does: it waits for the command's last word. When there is none the command
 * has died, and what it had under way is taken back, as the next command would; a trial, when its time is over.
 */
export async function watchdog(host: Host): Promise<void> {
  const [runDir = '', bridge = ''] = host.argv
  const watched = { runDir, bridge }
  host.stdout('watching\n')
  const word = await host.nextLine()
  const last = word === words.trial ? await lastWordInTrial(watched, host) : word
  if (last === words.done) return
  await takeBack(watched, false)
  const isTold = (): boolean => host.received.includes('SIGTERM')
  await untilTrialEnds(watched, isTold)
  await takeBack(watched, isTold())
}

/** The command may be stopped, so that it neither says a word nor takes its trial back. */
async function lastWordInTrial(watched: Watched, { nextLine }: Host): Promise<string | undefined> {
  const over = new AbortController()
  const end = untilTrialEnds(watched).then(() => sleep(grace))
  void end.then(() => {
    over.abort()
  })
  return nextLine(over.signal)
}

/** Until it is accepted, ended or over, or this process is told to end. */
async function untilTrialEnds({ runDir, bridge }: Watched, isTold = (): boolean => false): Promise<void> {
  while (!isTold()) {
    const sight = readJournal(runDir, bridge)
    const left = sight.kind === 'usable' ? trialSecondsLeft(sight.journal) : undefined
    if (left === undefined || left === 0) return
    await sleep(Math.min(pause, left * 1000))
  }
}

/** Nobody is there to be told: what cannot be taken back stays in the journal, for brstatus and the next command. */
async function takeBack({ runDir, bridge }: Watched, trialsToo: boolean): Promise<void> {
  const say = (): void => undefined
  const { signal } = new AbortController()
  try {
    await withLock({ runDir, signal, onWait: say }, () => recover(runDir, bridge, { say, trialsToo }))
  } catch {
    // It is in the journal.
  }
}
