import { CommandError } from '../errors.ts'
import type { Firewalld, ZonedLink } from '../firewall-state.ts'
import { runFed } from './fed.ts'
import { processesHere, type ProcessId } from './process.ts'
import { isExecutable } from './program.ts'

/** The door to firewalld, where it runs in this network namespace; what is told it here it forgets when it ends. */

const places = ['/usr/bin/firewall-cmd', '/bin/firewall-cmd']
const seconds = 20

const isRunning = (): boolean => processesHere('firewalld').length > 0

async function ask(words: readonly string[], onSpawn?: (child: ProcessId) => void): Promise<string> {
  const path = places.find(isExecutable)
  if (path === undefined)
    throw new CommandError('failed', 'firewalld runs, and firewall-cmd is not installed')
  const { ok, stdout, message } = await runFed(path, words, { input: '', seconds, onSpawn })
  if (!ok) throw new CommandError('failed', `firewall-cmd ${words.join(' ')}: ${message}`)
  return stdout
}

/** `undefined` where there is no firewalld. */
export async function readFirewalld(): Promise<Firewalld | undefined> {
  if (!isRunning()) return undefined
  const [zones, defaultZone] = await Promise.all([ask(['--get-active-zones']), ask(['--get-default-zone'])])
  return { zones: parseZones(zones), defaultZone: defaultZone.trim() }
}

/** Whether links of the zone may exchange packets; older versions do not know of that, and keep them apart. */
export async function zoneForwards(zone: string): Promise<boolean> {
  try {
    return (await ask([`--zone=${zone}`, '--query-forward'])).trim() === 'yes'
  } catch {
    return false
  }
}

/** A zone and below it, indented, its interfaces and sources. */
function parseZones(listing: string): readonly ZonedLink[] {
  let zone = ''
  return listing.split('\n').flatMap((line) => {
    const head = /^(\S+)/u.exec(line)?.[1]
    if (head !== undefined) zone = head
    const devs = /^\s+interfaces: (.*)$/u.exec(line)?.[1]?.split(' ') ?? []
    return devs.filter((dev) => dev !== '').map((dev) => ({ zone, dev }))
  })
}

export async function joinZone({ zone, dev }: ZonedLink, onSpawn: (child: ProcessId) => void): Promise<void> {
  await ask([`--zone=${zone}`, `--change-interface=${dev}`], onSpawn)
}

export async function leaveZone(
  { zone, dev }: ZonedLink,
  onSpawn: (child: ProcessId) => void,
): Promise<void> {
  await ask([`--zone=${zone}`, `--remove-interface=${dev}`], onSpawn)
}
