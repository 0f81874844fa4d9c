import { execa } from 'execa'
import { CommandError } from '../errors.ts'
import { startTimeOf, type ProcessId } from './process.ts'
import { isExecutable, programEnvironment } from './program.ts'

/**
 * The one door to the kernel's network configuration: iproute2's `ip`, found by absolute path and never through
 * the caller's PATH, in a process group of its own (Ctrl-C on the terminal reaches only us), with a time limit.
 */

export interface IpResult {
  readonly ok: boolean
  readonly stdout: string
  /** What `ip` said, one line. */
  readonly message: string
  /** The number of the batch line that was refused, counted from 1. */
  readonly failedLine: number | undefined
}

interface IpOptions {
  readonly lines: readonly string[]
  readonly seconds: number
  /** Called with the child before it is fed: what is journalled here, recovery can end. What it throws ends it. */
  readonly onSpawn?: (child: ProcessId) => void
}

const places = ['/usr/sbin/ip', '/sbin/ip', '/usr/bin/ip', '/bin/ip']

/** Throws (exit 3) where iproute2 is not installed. */
export function ipPath(): string {
  const path = places.find(isExecutable)
  if (path === undefined)
    throw new CommandError('refused', `none of ${places.join(', ')} can be run`, {
      hint: 'install iproute2',
    })
  return path
}

/** Runs `ip ARGUMENTS -batch -` with the lines as its input. Does not throw when `ip` refuses. */
export async function ipBatch(args: readonly string[], options: IpOptions): Promise<IpResult> {
  const child = execa(ipPath(), [...args, '-batch', '-'], {
    cwd: '/',
    env: programEnvironment,
    extendEnv: false,
    detached: true,
    cleanup: false,
    reject: false,
    timeout: options.seconds * 1000,
    killSignal: 'SIGKILL',
    maxBuffer: 256 * 1024 * 1024,
  })
  child.stdin.on('error', ignore)
  try {
    if (child.pid !== undefined)
      options.onSpawn?.({ pid: child.pid, startTime: startTimeOf(child.pid) ?? '' })
  } catch (error) {
    child.kill('SIGKILL')
    await child
    throw error
  }
  child.stdin.end(options.lines.join('\n') + '\n')
  const result = await child
  const failedLine = /^Command failed -:(\d+)/m.exec(result.stderr)?.[1]
  return {
    ok: !result.failed,
    stdout: result.stdout,
    message: result.timedOut
      ? `ip did not end within ${options.seconds} s`
      : firstLine(result.stderr, result.exitCode),
    failedLine: failedLine === undefined ? undefined : Number(failedLine),
  }
}

/** A child that has ended early closes the pipe; its exit status says what there is to say. */
const ignore = (): void => undefined

const firstLine = (stderr: string, exitCode: number | undefined): string =>
  stderr.split('\n').find((line) => line.trim() !== '') ??
  (exitCode === undefined ? 'ip was killed' : `ip ended with status ${exitCode}`)
