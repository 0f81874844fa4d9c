import type { ChildProcess } from 'node:child_process'
import type { Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'

import type { Keeper } from './keeper.ts'
import { childOf, enter, environment, exitCode, inFolder, launch, type RunOptions } from './run.ts'
import type { Node } from './topology.ts'

export interface Ending {
  /** 128 + n when ended by signal n. */
  readonly exit: number
  readonly signal: NodeJS.Signals | undefined
}

/** A command that runs in the lab. It dies with the lab at the latest. */
export interface Running {
  /** The program's own pid, as this process sees it (in the lab it has another one). */
  readonly pid: number
  readonly stdin: Writable
  /** All that came so far. */
  readonly stdout: () => string
  readonly stderr: () => string
  /** Waits until what came on stdout since the last `waitFor` matches; throws after `timeout` ms (default 10,000) or
   * when the program ends first. */
  readonly waitFor: (pattern: RegExp, timeout?: number) => Promise<RegExpExecArray>
  readonly exited: Promise<Ending>
  /** Settles when it has ended and nobody holds its output open: all of that has been read. */
  readonly closed: Promise<void>
  /** Signals the program itself; false when it has ended. */
  readonly kill: (signal?: NodeJS.Signals) => boolean
  /** Wakes a stopped program: nsenter stops itself when its child is stopped, and wakes the child when it is woken. */
  readonly resume: () => void
}

// Holds the program back until its pid is known, so that `pid` is right however soon the program ends.
const gate = ['/bin/sh', '-c', 'read -r go <&3; exec 3<&-; exec "$@"', 'lab-gate']

async function forkedPid(child: ChildProcess, deadline: number): Promise<number> {
  for (;;) {
    const pid = childOf(child.pid ?? 0)
    if (pid !== undefined) return pid
    if (child.exitCode !== null || Date.now() > deadline) throw new Error('lab: nsenter failed')
    await delay(1)
  }
}

interface Output {
  readonly text: () => string
  readonly waitFor: Running['waitFor']
}

function follow(child: ChildProcess, ended: () => boolean): Output {
  let text = ''
  let seen = 0
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  const waitFor = async (pattern: RegExp, timeout = 10_000): Promise<RegExpExecArray> => {
    const deadline = Date.now() + timeout
    for (;;) {
      const last = ended()
      const match = pattern.exec(text.slice(seen))
      if (match !== null) {
        seen += match.index + match[0].length
        return match
      }
      if (last) throw new Error(`lab: ended before ${String(pattern)}:\n${text.slice(seen)}`)
      if (Date.now() > deadline)
        throw new Error(`lab: no ${String(pattern)} in ${timeout} ms:\n${text.slice(seen)}`)
      await delay(2)
    }
  }
  return { text: () => text, waitFor }
}

/** Starts a command and comes back once it is about to run; `options.timeout` has no meaning here. */
export async function startIn(
  keeper: Keeper,
  node: Node,
  argv: readonly string[],
  options: RunOptions,
): Promise<Running> {
  const { outer, inner } = enter(keeper, node, inFolder(options.cwd, argv))
  const env = environment(keeper, options)
  const child = launch([...outer, ...gate, ...inner], env, ['pipe', 'pipe', 'pipe', 'pipe'])
  let ending: Ending | undefined
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk
  })
  const exited = new Promise<Ending>((resolve) => {
    const finish = (code: number | null, signal: NodeJS.Signals | null): void => {
      ending ??= { exit: exitCode(code, signal), signal: signal ?? undefined }
      resolve(ending)
    }
    child.once('error', () => finish(127, null))
    child.once('exit', finish)
  })
  const closed = new Promise<void>((resolve) => {
    child.once('error', () => resolve())
    child.once('close', () => resolve())
  })
  const output = follow(child, () => ending !== undefined && (child.stdout?.readableEnded ?? true))
  const pid = await forkedPid(child, Date.now() + 10_000)
  const go = child.stdio[3] as Writable
  go.on('error', () => undefined)
  go.end('go\n')
  if (child.stdin === null) throw new Error('lab: no stdin')
  child.stdin.on('error', () => undefined)
  if (options.input !== undefined) child.stdin.end(options.input)
  const kill = (signal: NodeJS.Signals = 'SIGTERM'): boolean => {
    if (ending !== undefined) return false
    try {
      return process.kill(pid, signal)
    } catch {
      return false
    }
  }
  return {
    pid,
    stdin: child.stdin,
    stdout: output.text,
    stderr: () => stderr,
    waitFor: output.waitFor,
    exited,
    closed,
    kill,
    resume: () => {
      child.kill('SIGCONT')
    },
  }
}
