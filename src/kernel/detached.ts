import { execa } from 'execa'
import { messageOf } from '../errors.ts'
import { programEnvironment } from './program.ts'

/** A process that outlives us: in a session of its own, with nothing of ours open but one pipe each way. */
export interface Detached {
  readonly pid: number
  /** Its first line; rejects when it ends without one. */
  readonly ready: Promise<void>
  /** Settles when it has ended. */
  readonly ended: Promise<void>
  readonly tell: (line: string) => void
  /** Lets go of it: what it does from here on does not keep us from ending. */
  readonly release: () => void
}

interface Start {
  /** The program and its arguments. */
  readonly words: readonly string[]
  /** What it sees as its own name. */
  readonly argv0: string
}

/** Starts it in `/`, with an empty environment. Whatever goes wrong, `ready` says so. */
export function startDetached({ words: [file = '', ...args], argv0 }: Start): Detached {
  const child = execa(file, args, {
    argv0,
    cwd: '/',
    env: {},
    extendEnv: false,
    detached: true,
    cleanup: false,
    reject: false,
    buffer: false,
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'ignore',
  })
  const { stdin, stdout } = child
  stdin.on('error', ignore)
  stdout.on('error', ignore)
  const ended = child.then(ignore)
  return {
    pid: child.pid ?? 0,
    ready: new Promise((resolve, reject) => {
      stdout.once('data', resolve)
      child.then(
        (result) => {
          reject(new Error(result.originalMessage ?? `it ended with status ${result.exitCode ?? 'unknown'}`))
        },
        (error: unknown) => {
          reject(new Error(messageOf(error)))
        },
      )
    }),
    ended,
    tell: (line) => {
      stdin.write(`${line}\n`)
    },
    release: () => {
      stdin.end()
      stdout.destroy()
      child.unref()
    },
  }
}

/** Starts a program that nobody waits for and nobody ends: in a session of its own, with nothing of ours open. */
export function spawnDaemon(
  path: string,
  words: readonly string[],
  env: Readonly<Record<string, string>>,
): void {
  const child = execa(path, words, {
    cwd: '/',
    env: { ...programEnvironment, ...env },
    extendEnv: false,
    detached: true,
    cleanup: false,
    reject: false,
    buffer: false,
    stdio: 'ignore',
  })
  child.unref()
}

const ignore = (): void => undefined
