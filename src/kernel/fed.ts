import { execa } from 'execa'
import { startTimeOf, type ProcessId } from './process.ts'
import { programEnvironment } from './program.ts'

export interface FedOptions {
  readonly input: string
  readonly seconds: number
  /** Called with the child before it is fed: what is journalled here, recovery can end. What it throws ends it. */
  readonly onSpawn?: ((child: ProcessId) => void) | undefined
  readonly argv0?: string
}

export interface FedResult {
  readonly ok: boolean
  /** `undefined` where it was killed. */
  readonly exit: number | undefined
  readonly stdout: string
  readonly stderr: string
  /** What it said, one line. */
  readonly message: string
}

/**
 * Runs a program that reads its orders from stdin, in a process group of its own (Ctrl-C on the terminal reaches only us), with
 * a time limit. Does not throw when it fails.
 */
export async function runFed(
  path: string,
  args: readonly string[],
  { input, seconds, onSpawn, argv0 }: FedOptions,
): Promise<FedResult> {
  const child = execa(path, args, {
    cwd: '/',
    env: programEnvironment,
    extendEnv: false,
    detached: true,
    cleanup: false,
    reject: false,
    timeout: seconds * 1000,
    killSignal: 'SIGKILL',
    ...(argv0 === undefined ? {} : { argv0 }),
    maxBuffer: 256 * 1024 * 1024,
  })
  child.stdin.on('error', ignore)
  try {
    if (child.pid !== undefined) onSpawn?.({ pid: child.pid, startTime: startTimeOf(child.pid) ?? '' })
  } catch (error) {
    child.kill('SIGKILL')
    await child
    throw error
  }
  child.stdin.end(input)
  const result = await child
  const name = path.slice(path.lastIndexOf('/') + 1)
  return {
    ok: !result.failed,
    exit: result.exitCode,
    stdout: result.stdout,
    stderr: result.stderr,
    message: result.timedOut
      ? `${name} did not end within ${seconds} s`
      : (firstLine(result.stderr) ?? endText(name, result.exitCode)),
  }
}

/** A child that has ended early closes the pipe; its exit status says what there is to say. */
const ignore = (): void => undefined

const firstLine = (stderr: string): string | undefined =>
  stderr.split('\n').find((line) => line.trim() !== '')

const endText = (name: string, exitCode: number | undefined): string =>
  exitCode === undefined ? `${name} was killed` : `${name} ended with status ${exitCode}`
