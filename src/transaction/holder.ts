import fs from 'node:fs'
import { join } from 'node:path'
import { isAlive, ownId, type ProcessId } from '../kernel/process.ts'

/** Who holds the lock: in a file inside the lock's directory, there from the directory's first moment. */
export interface Holder extends ProcessId {
  readonly nonce: string
}

const fileName = 'holder'

export const lockPath = (runDir: string): string => join(runDir, 'lock.lock')

export function readHolder(path: string): Holder | undefined {
  try {
    const parsed: unknown = JSON.parse(fs.readFileSync(join(path, fileName), 'utf8'))
    return isHolder(parsed) ? parsed : undefined
  } catch {
    return undefined
  }
}

const isHolder = (value: unknown): value is Holder =>
  typeof value === 'object' &&
  value !== null &&
  'pid' in value &&
  typeof value.pid === 'number' &&
  'startTime' in value &&
  typeof value.startTime === 'string' &&
  'nonce' in value &&
  typeof value.nonce === 'string'

/** Makes the directory with the holder inside and moves it into place; fails with EEXIST if one is there. */
export function makeLockDir(path: string, nonce: string): void {
  const draft = `${path}.new.${nonce}`
  fs.rmSync(draft, { recursive: true, force: true })
  fs.mkdirSync(draft, { mode: 0o755 })
  const holder: Holder = { ...ownId(), nonce }
  fs.writeFileSync(join(draft, fileName), JSON.stringify(holder), { mode: 0o644 })
  try {
    fs.renameSync(draft, path)
  } catch (error) {
    fs.rmSync(draft, { recursive: true, force: true })
    const taken =
      error instanceof Error && 'code' in error && ['ENOTEMPTY', 'EEXIST'].includes(String(error.code))
    throw taken ? Object.assign(new Error(`${path} exists`), { code: 'EEXIST' }) : error
  }
}

/** Moves the directory away in one step: nobody sees it without its holder. */
export function dropLockDir(path: string, nonce: string): void {
  if (readHolder(path)?.nonce !== nonce) return
  const away = `${path}.old.${nonce}`
  fs.renameSync(path, away)
  fs.rmSync(away, { recursive: true, force: true })
}

/**
 * Takes a dead holder's directory away, under a name made of the dead one's nonce. That name is left behind: a
 * second, late takeover of the same dead holder, which would take the newcomer's directory, fails on it.
 */
export function takeOver(path: string): void {
  const holder = readHolder(path)
  if (holder === undefined || isAlive(holder)) return
  try {
    fs.renameSync(path, `${path}.dead.${holder.nonce}`)
  } catch {
    // Somebody else was faster; the next attempt to lock sees whom.
  }
}

/** Whether a living process holds the lock. */
export function isLockHeld(runDir: string): boolean {
  const holder = readHolder(lockPath(runDir))
  return holder !== undefined && isAlive(holder)
}
