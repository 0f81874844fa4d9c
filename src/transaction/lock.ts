import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { lock } from 'proper-lockfile'
import { codeOf, CommandError, refusal } from '../errors.ts'
import { sleep } from '../kernel/clock.ts'
import { throwIfInterrupted } from './interrupt.ts'
import { dropLockDir, lockPath, makeLockDir, readHolder, takeOver } from './holder.ts'

interface LockOptions {
  readonly runDir: string
  readonly signal: AbortSignal
  /** Said once when somebody else holds the lock. */
  readonly onWait: (pid: number) => void
}

/** How long another command is waited for, in milliseconds. */
const patience = 30_000
const pause = 50
/** Age never decides: a holder that is stopped keeps the lock, one that died is known by its start time. */
const oneDay = 24 * 60 * 60 * 1000

/** Runs `body` as the only command in this network namespace. Throws (exit 5) when another one does not end. */
export async function withLock<T>(options: LockOptions, body: () => Promise<T>): Promise<T> {
  const release = await acquire(options)
  try {
    return await body()
  } finally {
    // Where the directory can no longer be written, the lock falls with its holder; what `body` came to stands.
    await release().catch(() => undefined)
  }
}

async function acquire({ runDir, signal, onWait }: LockOptions): Promise<() => Promise<void>> {
  const path = lockPath(runDir)
  const nonce = randomBytes(8).toString('hex')
  const deadline = performance.now() + patience
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await lock(runDir, {
        lockfilePath: path,
        realpath: false,
        stale: oneDay,
        retries: 0,
        fs: lockFs(nonce),
        onCompromised: () => undefined,
      })
    } catch (error) {
      if (!isTaken(error)) throw refusal(`cannot lock ${path}: ${codeOf(error)}`, `make ${runDir} writable`)
    }
    takeOver(path)
    const holder = readHolder(path)
    if (attempt === 1 && holder !== undefined) onWait(holder.pid)
    if (performance.now() > deadline) throw heldTooLong(holder?.pid)
    throwIfInterrupted(signal)
    await sleep(pause)
  }
}

const isTaken = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ELOCKED' || error.code === 'EEXIST')

const heldTooLong = (pid: number | undefined): CommandError =>
  new CommandError('locked', `another command (pid ${pid ?? 'unknown'}) holds the lock and does not finish`, {
    hint: 'wait for it, or end it: its changes are then taken back',
  })

type Callback = (error: NodeJS.ErrnoException | null) => void

/** What proper-lockfile does with directories, in one visible step each. */
function lockFs(nonce: string): object {
  const later =
    (work: (path: string) => void) =>
    (path: string, callback: Callback): void => {
      try {
        work(path)
        callback(null)
      } catch (error) {
        callback(error as NodeJS.ErrnoException)
      }
    }
  const drop = (path: string): void => {
    dropLockDir(path, nonce)
  }
  return {
    ...fs,
    mkdir: later((path) => {
      makeLockDir(path, nonce)
    }),
    rmdir: later(drop),
    rmdirSync: drop,
  }
}
