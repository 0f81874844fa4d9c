import { readFileSync, realpathSync, rmSync } from 'node:fs'
import { refusal } from '../errors.ts'
import { runFed, type FedResult } from './fed.ts'
import {
  commandLine,
  endProcess,
  networkNamespaceOf,
  processIds,
  programOf,
  startTimeOf,
  type ProcessId,
} from './process.ts'
import { isExecutable } from './program.ts'

/**
 * The door to dnsmasq, found by absolute path. Ours are known by their argv[0]; which bridge each serves, by its arguments. For each
 * TCP connection it has a child that looks just like it: the server is the one whose pid it wrote to its file.
 */

const places = ['/usr/sbin/dnsmasq', '/sbin/dnsmasq', '/usr/bin/dnsmasq']
const ownName = 'qemu-tap-hooks-dnsmasq'
const seconds = 10

export const hasDnsmasq = (): boolean => places.some(isExecutable)

interface Running {
  readonly process: ProcessId
  readonly words: readonly string[]
}

function running(bridge: string): readonly Running[] {
  const here = networkNamespaceOf('self')
  return processIds().flatMap((pid) => {
    const startTime = startTimeOf(pid)
    const [name, ...words] = commandLine(pid)
    if (name !== ownName || words[0] !== `--interface=${bridge}`) return []
    if (startTime === undefined || startTimeOf(pid) !== startTime) return []
    // Where we may not look, it may well be here, and dnsmasq.
    const isElsewhere = (networkNamespaceOf(pid) ?? here) !== here
    const program = programOf(pid)
    const isOther = program !== undefined && !places.some((place) => realPath(place) === program)
    return isElsewhere || isOther ? [] : [{ process: { pid, startTime }, words }]
  })
}

function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

const pidFileOf = (words: readonly string[]): string | undefined =>
  words.find((word) => word.startsWith('--pid-file='))?.slice('--pid-file='.length)

function isServer({ process, words }: Running): boolean {
  try {
    return readFileSync(pidFileOf(words) ?? '', 'utf8').trim() === String(process.pid)
  } catch {
    return false
  }
}

/** The arguments of the one that serves the bridge; none where only its children are left, or where there are several. */
export function dnsmasqOf(bridge: string): readonly string[] | undefined {
  const all = running(bridge)
  const [one, ...others] = all.filter(isServer)
  if (one !== undefined && others.length === 0) return one.words
  return all.length === 0 ? undefined : []
}

/**
 * In place of what is left of an earlier one. It has its sockets and its pid is in its file when this comes back, and it is a
 * process of its own. Does not throw when dnsmasq refuses.
 */
export async function startDnsmasq(
  bridge: string,
  words: readonly string[],
  onSpawn: (child: ProcessId) => void,
): Promise<FedResult> {
  const path = places.find(isExecutable)
  if (path === undefined) throw refusal(`none of ${places.join(', ')} can be run`, 'install dnsmasq-base')
  await stopDnsmasq(bridge)
  return runFed(path, words, { input: '', seconds, onSpawn, argv0: ownName })
}

/** Whatever of ours serves that bridge. Its leases are in their file. */
export async function stopDnsmasq(bridge: string): Promise<void> {
  const all = running(bridge)
  for (const { process } of all) await endProcess(process)
  for (const { words } of all) forgetPid(pidFileOf(words))
}

/** Where that cannot be removed, it names nobody. */
function forgetPid(path: string | undefined): void {
  try {
    if (path !== undefined) rmSync(path, { force: true })
  } catch {
    // A run directory that is read-only.
  }
}
