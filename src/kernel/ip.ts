import { CommandError } from '../errors.ts'
import { runFed } from './fed.ts'
import type { ProcessId } from './process.ts'
import { isExecutable } from './program.ts'

/** The door to links, addresses and routes: iproute2's `ip`, found by absolute path and never through the caller's PATH. */

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
export async function ipBatch(
  args: readonly string[],
  { lines, seconds, onSpawn }: IpOptions,
): Promise<IpResult> {
  const input = lines.join('\n') + '\n'
  const { ok, stdout, stderr, message } = await runFed(ipPath(), [...args, '-batch', '-'], {
    input,
    seconds,
    onSpawn,
  })
  const failedLine = /^Command failed -:(\d+)/m.exec(stderr)?.[1]
  return { ok, stdout, message, failedLine: failedLine === undefined ? undefined : Number(failedLine) }
}
