import { spawn, type ChildProcess } from 'node:child_process'
import { kill } from 'node:process'
import { messageOf } from '../errors.ts'
import { startTimeOf, type ProcessId } from './process.ts'
import { programEnvironment } from './program.ts'

interface CheckOptions {
  readonly seconds: number
  /** Besides the small fixed environment. */
  readonly env: Readonly<Record<string, string>>
  readonly signal: AbortSignal
  /** Called with the process before its program starts: what is journalled here, recovery can end. What it throws ends it. */
  readonly onSpawn: (child: ProcessId) => void
}

/** Holds the program back until its process is known; without the word (should we die) it never starts. */
const gate = 'read -r go && exec "$@" </dev/null'
/** SIGKILL takes a process that hangs in a system call only later; nobody waits longer for it, in milliseconds. */
const mourning = 1000
const stderrLimit = 64 * 1024

/**
 * Runs a command of the user's in a process group of its own, which is ended whole with it: when it ends, when its
 * time is over, and when the signal comes. Returns how it failed, with the first line of its stderr (`ended with
 * status 1: no route to host`), or `undefined`.
 */
export async function runCheck(words: readonly string[], options: CheckOptions): Promise<string | undefined> {
  const child = spawn('/bin/sh', ['-c', gate, 'check', ...words], {
    cwd: '/',
    env: { ...programEnvironment, ...options.env },
    detached: true,
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  const [ended, closed] = [endOf(child), closeOf(child)]
  const stderr = collected(child)
  const limit = limitOf(options)
  try {
    if (child.pid !== undefined) options.onSpawn({ pid: child.pid, startTime: startTimeOf(child.pid) ?? '' })
    child.stdin.on('error', () => undefined).end('go\n')
    const failure = await Promise.race([ended, limit.over])
    endGroup(child)
    await unlessLate(closed)
    const said = firstLine(stderr())
    return failure === undefined || said === '' ? failure : `${failure}: ${said}`
  } finally {
    endGroup(child)
    limit.forget()
    child.unref()
    child.stderr.destroy()
  }
}

/** How it ended; `undefined` for status 0. */
const endOf = (child: ChildProcess): Promise<string | undefined> =>
  new Promise((resolve) => {
    child.once('error', (error) => {
      resolve(`could not be started: ${messageOf(error)}`)
    })
    child.once('exit', (status, signal) => {
      resolve(
        status === 0
          ? undefined
          : signal === null
            ? `ended with status ${status ?? '?'}`
            : `was ended by ${signal}`,
      )
    })
  })

interface Limit {
  /** How it was not let end by itself. */
  readonly over: Promise<string>
  readonly forget: () => void
}

function limitOf({ seconds, signal }: CheckOptions): Limit {
  let forget = (): void => undefined
  const over = new Promise<string>((resolve) => {
    const interrupt = (): void => {
      resolve('was interrupted')
    }
    const timer = setTimeout(() => {
      resolve(`did not end within ${seconds} s`)
    }, seconds * 1000)
    forget = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', interrupt)
    }
    signal.addEventListener('abort', interrupt)
    if (signal.aborted) interrupt()
  })
  return { over, forget }
}

function endGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) kill(-pid, 'SIGKILL')
  } catch {
    // Nobody is left in it.
  }
}

function collected(child: ChildProcess): () => string {
  let text = ''
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    if (text.length < stderrLimit) text += chunk
  })
  return () => text
}

/** When it has ended and nobody writes to its stderr any more. */
const closeOf = (child: ChildProcess): Promise<unknown> =>
  new Promise((resolve) => child.once('close', resolve))

const unlessLate = (work: Promise<unknown>): Promise<unknown> =>
  Promise.race([work, new Promise((resolve) => setTimeout(resolve, mourning).unref())])

const longest = 300

/** Fit for a terminal: no control characters. */
const firstLine = (text: string): string =>
  (text.split('\n').find((line) => line.trim() !== '') ?? '')
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, longest)
