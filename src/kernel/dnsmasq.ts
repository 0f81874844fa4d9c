import { refusal } from '../errors.ts'
import { runFed, type FedResult } from './fed.ts'
import {
  commandLine,
  endProcess,
  networkNamespaceOf,
  processIds,
  startTimeOf,
  type ProcessId,
} from './process.ts'
import { isExecutable } from './program.ts'

/** The door to dnsmasq, found by absolute path. Ours are known by their argv[0]; which bridge each serves, by its arguments. */

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
    const [name, ...words] = commandLine(pid)
    if (name !== ownName || words[0] !== `--interface=${bridge}`) return []
    const startTime = startTimeOf(pid)
    // Where we may not look, it may well be here.
    const isElsewhere = (networkNamespaceOf(pid) ?? here) !== here
    return startTime === undefined || isElsewhere ? [] : [{ process: { pid, startTime }, words }]
  })
}

/** The arguments of the one that serves the bridge. Where there are several, they fit nothing. */
export function dnsmasqOf(bridge: string): readonly string[] | undefined {
  const [one, ...others] = running(bridge)
  return others.length > 0 ? [] : one?.words
}

/** It has its sockets when this comes back, and is a process of its own. Does not throw when dnsmasq refuses. */
export async function startDnsmasq(
  words: readonly string[],
  onSpawn: (child: ProcessId) => void,
): Promise<FedResult> {
  const path = places.find(isExecutable)
  if (path === undefined) throw refusal(`none of ${places.join(', ')} can be run`, 'install dnsmasq-base')
  return runFed(path, words, { input: '', seconds, onSpawn, argv0: ownName })
}

/** Whatever of ours serves that bridge. Its leases are in their file. */
export async function stopDnsmasq(bridge: string): Promise<void> {
  for (const { process } of running(bridge)) await endProcess(process)
}
