import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname } from 'node:path'

import type { Keeper } from './keeper.ts'
import { tool } from './tools.ts'
import type { Node } from './topology.ts'

export interface RunOptions {
  /** Added to a small fixed environment (PATH, HOME, LC_ALL, TERM); this process's own is never passed on. */
  readonly env?: Readonly<Record<string, string>>
  /** `env` is the whole environment. */
  readonly onlyEnv?: boolean
  readonly input?: string
  /** Default: `/`. */
  readonly cwd?: string
  /** Milliseconds, default 60,000; then the command is killed and `run` throws. */
  readonly timeout?: number
}

export interface Result {
  /** 128 + n when ended by signal n. */
  readonly exit: number
  readonly stdout: string
  readonly stderr: string
}

/** The environment of a command in the lab. */
export function environment(keeper: Keeper, options: RunOptions): Record<string, string> {
  if (options.onlyEnv === true) return { ...options.env }
  const path = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']
  const base = {
    PATH: [...path, dirname(process.execPath)].join(':'),
    HOME: keeper.dir,
    LC_ALL: 'C',
    TERM: 'dumb',
  }
  return { ...base, ...options.env }
}

/**
 * The command line that enters the lab. Only nsenter lingers (it must fork to enter a PID namespace); everything
 * after it replaces itself. `gate` words come right after nsenter, in the keeper's namespaces.
 */
export function enter(
  keeper: Keeper,
  node: Node,
  argv: readonly string[],
): { outer: string[]; inner: string[] } {
  const user = keeper.asUser ? ['--user', '--preserve-credentials'] : []
  const join = [tool('nsenter'), '--target', String(keeper.pid), ...user, '--mount', '--net', '--pid', '--']
  return { outer: [...keeper.become, ...join], inner: [tool('ip'), 'netns', 'exec', node, ...argv] }
}

export const inFolder = (cwd: string | undefined, argv: readonly string[]): readonly string[] =>
  cwd === undefined ? argv : [tool('env'), '-C', cwd, ...argv]

/** The process that nsenter forked, if it has by now. */
export function childOf(pid: number): number | undefined {
  try {
    const first = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0]
    return first === undefined || first === '' ? undefined : Number(first)
  } catch {
    return undefined
  }
}

export function launch(
  line: readonly string[],
  env: Record<string, string>,
  stdio: StdioOptions,
): ChildProcess {
  const [command = '', ...args] = line
  return spawn(command, args, { env, cwd: '/', stdio })
}

export const exitCode = (code: number | null, signal: NodeJS.Signals | null): number =>
  code ?? 128 + (signal === null ? 0 : constants.signals[signal])

const collect = (stream: NodeJS.ReadableStream | null): (() => string) => {
  const chunks: Buffer[] = []
  stream?.on('data', (chunk: Buffer) => chunks.push(chunk))
  return () => Buffer.concat(chunks).toString('utf8')
}

/**
 * Ends the command; nsenter, whose pipes it shares, then ends by itself. Killing both would leave a zombie to process 1
 * of the machine, and the lab's PID namespace lives until that one gets round to it.
 */
const killInner = (child: ChildProcess): void => {
  const inner = childOf(child.pid ?? 0)
  if (inner === undefined) child.kill('SIGKILL')
  else process.kill(inner, 'SIGKILL')
}

/** Runs a command to its end. Throws only when it cannot be started or takes too long. */
export function runIn(
  keeper: Keeper,
  node: Node,
  argv: readonly string[],
  options: RunOptions,
): Promise<Result> {
  const { outer, inner } = enter(keeper, node, inFolder(options.cwd, argv))
  const child = launch([...outer, ...inner], environment(keeper, options), ['pipe', 'pipe', 'pipe'])
  const stdout = collect(child.stdout)
  const stderr = collect(child.stderr)
  child.stdin?.on('error', () => undefined)
  child.stdin?.end(options.input ?? '')
  return new Promise((resolve, reject) => {
    const limit = options.timeout ?? 60_000
    const timer = setTimeout(() => {
      killInner(child)
      reject(new Error(`lab: ${argv.join(' ')} took longer than ${limit} ms\n${stdout()}${stderr()}`))
    }, limit)
    child.once('error', reject)
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      resolve({ exit: exitCode(code, signal), stdout: stdout(), stderr: stderr() })
    })
  })
}
