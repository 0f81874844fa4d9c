import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
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
  const fields = statOf(pid)
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
}

/** /proc/PID/stat from its third field on: the second is the name in parentheses, which may hold anything. */
function statOf(pid: number | 'self'): readonly string[] {
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, 'latin1')) ?? ''
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

/** Its parent first; empty where there is no such process. */
export function ancestorsOf(pid: number): readonly number[] {
  const parent = Number(statOf(pid)[1] ?? 0)
  return parent > 0 ? [parent, ...ancestorsOf(parent)] : []
}

/** Whether this process may read from its terminal: fields 5 and 8 of /proc/PID/stat, its group and the terminal's. */
export function isInForeground(): boolean {
  const [, , group, , , foreground] = statOf('self')
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

/**
 * Those of that name (15 bytes at most) in this network namespace; where we may not look, it may well be here. Anybody may give a
 * process that name: they are root's, or those of the user who has a folder that only the real one has.
 */
export function processesHere(name: string, folder?: string): readonly number[] {
  const here = networkNamespaceOf('self')
  const owner = folder === undefined ? 0 : ownerOf(folder)
  return processIds().filter(
    (pid) =>
      commandName(pid) === name &&
      ownerOf(`/proc/${pid}`) === owner &&
      (networkNamespaceOf(pid) ?? here) === here,
  )
}

const ownerOf = (path: string): number | undefined => attempt(() => statSync(path).uid)

export const commandLine = (pid: number): readonly string[] =>
  (attempt(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8')) ?? '')
    .split('\0')
    .filter((word) => word !== '')

/** The path of its program, or `undefined` where we may not look. */
export const programOf = (pid: number): string | undefined =>
  attempt(() => readlinkSync(`/proc/${pid}/exe`).replace(deleted, ''))

const deleted = / \(deleted\)$/u

/** Whether its program was replaced or removed since it began, as an upgrade does. */
export const isProgramGone = (pid: number): boolean =>
  deleted.test(attempt(() => readlinkSync(`/proc/${pid}/exe`)) ?? '')

/** What its open descriptors lead to; empty where we may not look. */
export const openFilesOf = (pid: number): readonly string[] =>
  (attempt(() => readdirSync(`/proc/${pid}/fd`)) ?? []).flatMap(
    (fd) => attempt(() => readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? [],
  )

/** Those that live now. */
export const childrenOf = (pid: number): readonly number[] =>
  processIds().filter((other) => ancestorsOf(other)[0] === pid)

/** Whether it is root's by all four of its user ids: neither started by somebody else, nor turned into somebody else. */
export const isRoots = (pid: number): boolean =>
  /^Uid:\t0\t0\t0\t0$/m.test(attempt(() => readFileSync(`/proc/${pid}/status`, 'utf8')) ?? '')

/** Its environment when it began; empty where we may not look. */
export const environmentOf = (pid: number): Readonly<Record<string, string>> =>
  Object.fromEntries(
    (attempt(() => readFileSync(`/proc/${pid}/environ`, 'utf8')) ?? '')
      .split('\0')
      .flatMap((entry) =>
        entry.includes('=') ? [entry.split(/=(.*)/s).slice(0, 2) as [string, string]] : [],
      ),
  )

/** The rules of AppArmor or SELinux that it is under, if they keep it from anything (apparmor(7), proc_pid_attr(5)). */
export function confinementOf(pid: number): string | undefined {
  const text = attempt(() => readFileSync(`/proc/${pid}/attr/current`, 'utf8')) ?? ''
  const label = text.replace(/[\0\n]+$/u, '')
  return label === '' || isUnconfined(label) ? undefined : label
}

const isUnconfined = (label: string): boolean =>
  label === 'unconfined' || label.endsWith(' (complain)') || /:unconfined(?:_service)?_t:/u.test(label)

/** Whether the path of its program leads us to the same file: it may have other mounts. */
export function runsOurFile(pid: number, path: string): boolean {
  const [its, ours] = [`/proc/${pid}/exe`, path].map((file) => attempt(() => statSync(file)))
  return its !== undefined && its.dev === ours?.dev && its.ino === ours.ino
}

/** Whether it has our files: in a container a path may lead to another one. */
export function hasOurRoot(pid: number): boolean {
  const [its, ours] = [`/proc/${pid}/root`, '/'].map((path) => attempt(() => statSync(path)))
  return its !== undefined && its.dev === ours?.dev && its.ino === ours.ino
}

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
