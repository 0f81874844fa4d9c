import { refusal } from '../errors.ts'
import type { Host } from '../host.ts'
import { bootSeconds } from '../kernel/clock.ts'
import { ipPath } from '../kernel/ip.ts'
import { mayChangeNetwork } from '../kernel/privilege.ts'
import { stepCommand } from '../report/script.ts'
import type { Step } from '../step.ts'
import type { Journal } from '../transaction/journal.ts'
import { withLock } from '../transaction/lock.ts'
import { recover, settledJournal } from '../transaction/recover.ts'
import { makeRunDir, runDirOf } from '../transaction/run-dir.ts'

/** What a command that changes the network works with, the lock held and older wreckage cleared away. */
export interface Session {
  readonly runDir: string
  readonly signal: AbortSignal
  readonly journal: Journal | undefined
  readonly say: (line: string) => void
  /** Told the steps about to be applied; prints them with `--verbose`. */
  readonly show: (steps: readonly Step[]) => void
}

interface SessionOptions {
  readonly name: string
  readonly bridge: string
  readonly quiet: boolean
  readonly verbose: boolean
  readonly dryRun: boolean
}

/**
 * Lock, recover, work. Throws exit 3 without the right to change the network, 5 when the lock stays held. A dry
 * run changes nothing, so it needs neither the right nor the lock, and recovers nothing.
 */
export async function inSession<T>(
  host: Host,
  { name, bridge, quiet, verbose, dryRun }: SessionOptions,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const say = (line: string): void => {
    if (!quiet) host.stderr(`${name}: ${line}\n`)
  }
  const show = (steps: readonly Step[]): void => {
    const now = bootSeconds()
    if (verbose) host.stderr(steps.map((step) => `${stepCommand(step, now)}\n`).join(''))
  }
  if (dryRun) {
    const runDir = runDirOf(host.env)
    return work({ runDir, signal: host.signal, say, show, journal: await settledJournal(runDir, bridge) })
  }
  requirePrivilege(name)
  const runDir = makeRunDir(host.env)
  const onWait = (pid: number): void => {
    say(`waiting for another command (pid ${pid})`)
  }
  return withLock({ runDir, signal: host.signal, onWait }, async () =>
    work({ runDir, signal: host.signal, say, show, journal: await recover(runDir, bridge, say) }),
  )
}

export function requirePrivilege(name: string): void {
  ipPath()
  if (!mayChangeNetwork())
    throw refusal('this needs root, or CAP_NET_ADMIN in this network namespace', `sudo ${name}`)
}
