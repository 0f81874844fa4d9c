import { existsSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

import type { Result } from '../../test/lab/run.ts'
import type { Running } from '../../test/lab/start.ts'
import type { Faulty } from '../../test/helpers/faults.ts'

/** What a command takes without a fault, so that faults can be put where it still runs. */
export interface Measure {
  /** Until it has the lock, and until it ends; in milliseconds. */
  readonly lock: number
  readonly whole: number
  /** For each of its calls of `ip`, the number of lines that change something. */
  readonly calls: readonly number[]
}

/** How long output is waited for that a process left behind might hold open. */
const drainTime = 1000

/** The command's exit and all that it said. */
export async function endOf(running: Running): Promise<Result> {
  const { exit } = await running.exited
  const giveUp = new AbortController()
  await Promise.race([
    running.closed,
    delay(drainTime, undefined, { signal: giveUp.signal }).catch(() => undefined),
  ])
  giveUp.abort()
  return { exit, stdout: running.stdout(), stderr: running.stderr() }
}

/** Waits until the lock is there or the command has ended; whether it is there. */
export async function lockTaken(lock: string, ended: () => boolean): Promise<boolean> {
  while (!existsSync(lock)) {
    if (ended()) return false
    await delay(1)
  }
  return true
}

/** Runs it without a fault. */
export async function timed(
  { faulty, lock }: { readonly faulty: Faulty; readonly lock: string },
  words: readonly string[],
): Promise<Result & { readonly measure: Measure }> {
  const start = performance.now()
  const running = await faulty.start(words, { kind: 'none', at: 1 })
  let isOver = false
  void running.exited.then(() => (isOver = true))
  await lockTaken(lock, () => isOver)
  const locked = performance.now() - start
  await running.exited
  const whole = performance.now() - start
  return { ...(await endOf(running)), measure: { lock: locked, whole, calls: faulty.calls() } }
}
