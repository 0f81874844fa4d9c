import { messageOf, refusal } from '../errors.ts'
import { watchdogName } from '../host.ts'
import { startDetached, type Detached } from '../kernel/detached.ts'

/** A second process that takes the change back should this one die in the middle of it. */
export interface Watchdog {
  /** Starts it, if it does not run; returns when it watches. Throws (exit 3) where it cannot: nothing is changed then. */
  readonly start: () => Promise<void>
  /** From here on only the journal's trial is to be watched, which ends by itself. */
  readonly leaveTrial: () => void
  /** All is committed or taken back. */
  readonly stop: () => void
}

interface WatchdogOptions {
  /** What runs this very program again. */
  readonly program: readonly string[]
  readonly runDir: string
  readonly bridge: string
  readonly say: (line: string) => void
}

/** The words on its pipe. Without any, the end of the pipe means that we died. */
export const words = { trial: 'trial', done: 'done' } as const

export function watchdogFor({ program, runDir, bridge, say }: WatchdogOptions): Watchdog {
  let running: Detached | undefined
  let isWanted = false
  const start = async (): Promise<void> => {
    if (running !== undefined) return
    const child = startDetached({ words: [...program, runDir, bridge], argv0: watchdogName })
    try {
      await child.ready
    } catch (error) {
      throw refusal(`cannot start the watchdog: ${messageOf(error)}`, 'without it nothing is changed')
    }
    running = child
    isWanted = true
    void child.ended.then(() => {
      if (isWanted) say(`its watchdog (pid ${child.pid}) has ended; going on without it`)
    })
  }
  return {
    start,
    leaveTrial: () => running?.tell(words.trial),
    stop: () => {
      isWanted = false
      running?.tell(words.done)
      running?.release()
      running = undefined
    },
  }
}
