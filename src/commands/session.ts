import { refusal } from '../errors.ts'
import type { Host } from '../host.ts'
import { ipPath } from '../kernel/ip.ts'
import { mayChangeNetwork } from '../kernel/privilege.ts'
import type { Journal } from '../transaction/journal.ts'
import { withLock } from '../transaction/lock.ts'
import { recover } from '../transaction/recover.ts'
import { makeRunDir } from '../transaction/run-dir.ts'

/** What a command that changes the network works with, the lock held and older wreckage cleared away. */
export interface Session {
  readonly runDir: string
  readonly signal: AbortSignal
  readonly journal: Journal | undefined
  readonly say: (line: string) => void
}

interface SessionOptions {
  readonly name: string
  readonly bridge: string
  readonly quiet: boolean
}

/** Lock, recover, work. Throws exit 3 without the right to change the network, 5 when the lock stays held. */
export async function inSession<T>(
  host: Host,
  { name, bridge, quiet }: SessionOptions,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  requirePrivilege(name)
  const runDir = makeRunDir(host.env)
  const say = (line: string): void => {
    if (!quiet) host.stderr(`${name}: ${line}\n`)
  }
  const onWait = (pid: number): void => {
    say(`waiting for another command (pid ${pid})`)
  }
  return withLock({ runDir, signal: host.signal, onWait }, async () =>
    work({ runDir, signal: host.signal, say, journal: await recover(runDir, bridge, say) }),
  )
}

export function requirePrivilege(name: string): void {
  ipPath()
  if (!mayChangeNetwork())
    throw refusal('this needs root, or CAP_NET_ADMIN in this network namespace', `sudo ${name}`)
}
