import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { kill } from 'node:process'
import { sleep } from './clock.ts'

/** A process, told from a later one with the same pid by when it started (field 22 of /proc/PID/stat). */
export interface ProcessId {
  readonly pid: number
  readonly startTime: string
}

const attempt = <T>(read: () => T): T | undefined => {
  try {
    return read()
  } catch {
    return undefined
  }
}

/** In clock ticks since boot; `undefined` where there is no such process. A zombie has ended. */
export function startTimeOf(pid: number): string | undefined {
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, 'latin1'))
  if (stat === undefined) return undefined
  // The second field is the name in parentheses, which may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
}

/** Whether this process may read from its terminal: fields 5 and 8 of /proc/PID/stat, its group and the terminal's. */
export function isInForeground(): boolean {
  const stat = readFileSync('/proc/self/stat', 'latin1')
  const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return group === foreground
}

export function ownId(): ProcessId {
  const pid = Number(readlinkSync('/proc/self'))
  return { pid, startTime: startTimeOf(pid) ?? '' }
}

export const isAlive = ({ pid, startTime }: ProcessId): boolean =>
  startTime !== '' && startTimeOf(pid) === startTime

export const processIds = (): readonly number[] =>
  (attempt(() => readdirSync('/proc')) ?? []).filter((name) => /^\d+$/.test(name)).map(Number)

export const commandName = (pid: number): string | undefined =>
  attempt(() => readFileSync(`/proc/${pid}/comm`, 'utf8').trimEnd())

export const commandLine = (pid: number): readonly string[] =>
  (attempt(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8')) ?? '')
    .split('\0')
    .filter((word) => word !== '')

/** The path of its program, or `undefined` where we may not look. */
export const programOf = (pid: number): string | undefined =>
  attempt(() => readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/u, ''))

/** `net:[4026531840]`, or `undefined` where we may not look. */
export const networkNamespaceOf = (pid: number | 'self'): string | undefined =>
  attempt(() => readlinkSync(`/proc/${pid}/ns/net`))

/**
 * SIGKILL, if it is still that process, for it and the group that it leads; returns when it is gone. It cannot be one
 * of the caller's children.
 */
export async function endProcess(id: ProcessId): Promise<void> {
  for (let attempt = 0; isAlive(id) && attempt < 500; attempt += 1) {
    if (id.pid > 1) attemptKill(-id.pid)
    attemptKill(id.pid)
    await sleep(10)
  }
}

const attemptKill = (pid: number): void => void attempt(() => kill(pid, 'SIGKILL'))

export interface TapHolder {
  readonly tap: string
  readonly pid: number
  readonly command: string
}

/** Who has a tap open: the `iff:` line that tun_chr_show_fdinfo() (drivers/net/tun.c) writes. */
export function tapHolders(): readonly TapHolder[] {
  const here = networkNamespaceOf('self')
  return processIds().flatMap((pid) => {
    const namespace = networkNamespaceOf(pid)
    if (namespace !== undefined && namespace !== here) return []
    return tapsOf(pid).map((tap) => ({ tap, pid, command: commandName(pid) ?? '?' }))
  })
}

function tapsOf(pid: number): readonly string[] {
  const descriptors = attempt(() => readdirSync(`/proc/${pid}/fd`)) ?? []
  const taps = descriptors
    .filter((fd) => attempt(() => readlinkSync(`/proc/${pid}/fd/${fd}`)) === '/dev/net/tun')
    .map((fd) => attempt(() => readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8')))
    .map((text) => /^iff:\s*(\S+)$/m.exec(text ?? '')?.[1])
  return [...new Set(taps.filter((tap) => tap !== undefined))]
}
