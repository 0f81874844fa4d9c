import { refusal } from '../errors.ts'
import type { Host } from '../host.ts'
import { joinInit } from '../kernel/cgroup.ts'
import { bootSeconds } from '../kernel/clock.ts'
import { ipPath } from '../kernel/ip.ts'
import { mayChangeNetwork } from '../kernel/privilege.ts'
import { stepCommand } from '../report/script.ts'
import type { Step } from '../step.ts'
import type { Journal } from '../transaction/journal.ts'
import { withLock } from '../transaction/lock.ts'
import { recover, settledJournal } from '../transaction/recover.ts'
import { makeRunDir, runDirOf } from '../transaction/run-dir.ts'
import { watchdogFor, type Watchdog } from '../transaction/watchdog.ts'

/** What a command that changes the network works with, the lock held and older wreckage cleared away. */
export interface Session {
  readonly runDir: string
  readonly signal: AbortSignal
  readonly journal: Journal | undefined
  readonly say: (line: string) => void
  /** Told the steps about to be applied; prints them with `--verbose`. */
  readonly show: (steps: readonly Step[]) => void
  /** A watchdog that takes the change back should this process die in the middle of it. */
  readonly watchdog: Watchdog
  /** To be called before the first change: what this leaves running is not ended with its caller, and the watchdog watches. */
  readonly guard: Watchdog['start']
  readonly isQuiet: boolean
}

export interface SessionOptions<T> {
  readonly name: string
  readonly bridge: string
  readonly quiet: boolean
  readonly verbose: boolean
  readonly dryRun: boolean
  /** With the lock held. */
  readonly work: (session: Session) => Promise<T>
  /** With the lock free again, but the watchdog still there. */
  readonly afterwards?: (result: T, session: Session) => Promise<T>
}

/**
 * Lock, recover, work. Throws exit 3 without the right to change the network, 5 when the lock stays held. A dry
 * run changes nothing, so it needs neither the right nor the lock, and recovers nothing.
 */
export async function inSession<T>(host: Host, options: SessionOptions<T>): Promise<T> {
  const { name, bridge, dryRun, work, afterwards } = options
  if (!dryRun) requirePrivilege(name)
  const runDir = dryRun ? runDirOf(host.env) : makeRunDir(host.env)
  const tools = { runDir, signal: host.signal, isQuiet: options.quiet, ...voices(host, options) }
  const { say } = tools
  const watchdog = watchdogFor({ program: host.program, runDir, bridge, say })
  const guard = (): Promise<void> => {
    joinInit()
    return watchdog.start()
  }
  const sessionWith = (journal: Journal | undefined): Session => ({ ...tools, watchdog, guard, journal })
  if (dryRun) return work(sessionWith(await settledJournal(runDir, bridge)))
  const onWait = (pid: number): void => {
    say(`waiting for another command (pid ${pid})`)
  }
  try {
    const inLock = async (): Promise<[T, Session]> => {
      const session = sessionWith(await recover(runDir, bridge, { say, guard }))
      return [await work(session), session]
    }
    const [result, session] = await withLock({ runDir, signal: host.signal, onWait }, inLock)
    return afterwards === undefined ? result : await afterwards(result, session)
  } finally {
    watchdog.stop()
  }
}

function voices(
  host: Host,
  { name, quiet, verbose }: { name: string; quiet: boolean; verbose: boolean },
): Pick<Session, 'say' | 'show'> {
  return {
    say: (line) => {
      if (!quiet) host.stderr(`${name}: ${line}\n`)
    },
    show: (steps) => {
      const now = bootSeconds()
      if (verbose) host.stderr(steps.map((step) => `${stepCommand(step, now)}\n`).join(''))
    },
  }
}

export function requirePrivilege(name: string): void {
  ipPath()
  if (!mayChangeNetwork())
    throw refusal('this needs root, or CAP_NET_ADMIN in this network namespace', `sudo ${name}`)
}
