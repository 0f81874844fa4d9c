import {
  chmodSync,
  chownSync,
  mkdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { CommandError } from '../errors.ts'
import {
  fitsGuests,
  isOwnUnit,
  netifFolder,
  unitFolder,
  unportable,
  type OwnerFile,
} from '../networkd-files.ts'
import type { ManagedLink, Networkd, Unit } from '../owner-state.ts'
import { findLink, type Link, type NetworkState } from '../state.ts'
import type { NetworkdStep } from '../owner-step.ts'
import { sleep } from './clock.ts'
import { runFed } from './fed.ts'
import { showLinks } from './observe.ts'
import { processesHere, type ProcessId } from './process.ts'
import { isExecutable } from './program.ts'
import { namesIn, readText } from './files.ts'

/** The door to systemd-networkd: what it says of links in /run/systemd/netif, and files of ours that it reads. */

const seconds = 20

const isRunning = (): boolean => processesHere('systemd-network', netifFolder).length > 0

/** What it says of one link. */
const sayingsOf = (index: number): ((key: string) => string | undefined) => {
  const text = readText(`${netifFolder}/links/${index}`) ?? ''
  return (key) => new RegExp(`^${key}=(.*)$`, 'm').exec(text)?.[1]
}

const undecided = ['pending', 'initialized']
const restless = [undefined, ...undecided, 'linger', 'unmanaged']

/** Whether it may take the link in the next moment: it has not decided, or has since this was seen. */
export const mayTake = (link: Link, seen: Networkd | undefined): boolean =>
  isRunning() &&
  (undecided.includes(sayingsOf(link.index)('ADMIN_STATE') ?? '') ||
    (managedLink(link) !== undefined && seen?.managed.some(({ dev }) => dev === link.name) !== true))

function managedLink({ name, index }: Link): ManagedLink | undefined {
  const says = sayingsOf(index)
  const file = says('NETWORK_FILE')
  return file === undefined || restless.includes(says('ADMIN_STATE')) ? undefined : { dev: name, file }
}

/** What it has to do with these two links; `undefined`: nothing, and it has no file of ours. */
export function networkdOf(
  state: Pick<NetworkState, 'links'>,
  uplink: string,
  bridge: string,
): Networkd | undefined {
  const units = ownUnits(bridge)
  const running = isRunning()
  if (!running && units.length === 0) return undefined
  const managed = [uplink, bridge].flatMap((name) => {
    const link = findLink(state, name)
    return (running && link !== undefined ? managedLink(link) : undefined) ?? []
  })
  return { running, units, managed }
}

function ownUnits(bridge: string): readonly Unit[] {
  const names = namesIn(unitFolder).flatMap((name) =>
    name.endsWith('.network.d') ? namesIn(`${unitFolder}/${name}`).map((file) => `${name}/${file}`) : [name],
  )
  return names
    .filter((name) => isOwnUnit(name, bridge))
    .sort()
    .flatMap((name) => {
      const text = readText(`${unitFolder}/${name}`)
      return text === undefined ? [] : [{ name, text }]
    })
}

/** What it goes by on the uplink; `undefined` where it does not manage that. */
export function ownerFile({ index }: Pick<Link, 'index'>): OwnerFile | undefined {
  const says = sayingsOf(index)
  const file = says('NETWORK_FILE')
  if (file === undefined) return undefined
  const paths = [file, ...(says('NETWORK_FILE_DROPINS') ?? '').replaceAll('"', '').split(/\s+/u)]
  const clientId = /^CLIENTID=ff([0-9a-f]{8})/m.exec(readText(`${netifFolder}/leases/${index}`) ?? '')?.[1]
  return {
    text: paths.flatMap((path) => (path === '' ? [] : (readText(path) ?? []))).join('\n'),
    iaid: clientId === undefined ? undefined : Number.parseInt(clientId, 16),
  }
}

const networkctl = ['/usr/bin/networkctl', '/bin/networkctl']
const busctl = ['/usr/bin/busctl', '/bin/busctl']
const object = ['org.freedesktop.network1', '/org/freedesktop/network1']

/** Why networkd cannot be taken along to a bridge, if it cannot, and the way out. */
export async function networkdInTheWay(
  { index, mac }: Pick<Link, 'index' | 'mac'>,
  bridge: string,
): Promise<{ reason: string; wayOut: string } | undefined> {
  const file = ownerFile({ index })
  if (file === undefined) return { reason: 'it has yet to look at it', wayOut: 'try again' }
  const reason = unportable(file.text)
  if (reason !== undefined) return { reason, wayOut: 'give it one of its own' }
  const fitting = networkFiles(bridge).find((path) => fitsGuests(readText(path) ?? '', { bridge, mac }))
  if (fitting !== undefined)
    return { reason: `${fitting} fits ${bridge} or its taps, too`, wayOut: `match links by name there` }
  const ping = await ask(busctl, ['call', ...object, 'org.freedesktop.DBus.Peer', 'Ping'])
  if (!ping.ok) return { reason: 'it cannot be reached by D-Bus', wayOut: 'start dbus' }
  return sayingsOf(index)('ADMIN_STATE') === 'failed'
    ? { reason: 'it has failed to configure it', wayOut: 'mend what networkctl status says' }
    : undefined
}

const folders = ['/etc', '/run', '/usr/local/lib', '/usr/lib'].map((root) => `${root}/systemd/network`)

/** Those of others; one hides those of its name in the folders behind its own. */
function networkFiles(bridge: string): readonly string[] {
  const files = folders.flatMap((folder) =>
    namesIn(folder)
      .filter((name) => name.endsWith('.network') && !isOwnUnit(name, bridge))
      .map((name) => ({ name, path: `${folder}/${name}` })),
  )
  return files
    .filter(({ name }, at) => files.findIndex((file) => file.name === name) === at)
    .map(({ path }) => path)
}

async function ask(
  places: readonly string[],
  words: readonly string[],
  onSpawn?: (child: ProcessId) => void,
): Promise<{ ok: boolean; message: string }> {
  const path = places.find(isExecutable)
  if (path === undefined) return { ok: false, message: `${places[0] ?? ''} is not there` }
  return runFed(path, words, { input: '', seconds, onSpawn })
}

/** Throws where networkd does not take them. */
export async function placeUnits(step: NetworkdStep, onSpawn: (child: ProcessId) => void): Promise<void> {
  for (const unit of [...step.put, ...step.passing]) putUnit(unit)
  for (const name of step.remove) removeUnit(name)
  try {
    if (step.reload) await reload(step, onSpawn)
  } finally {
    for (const { name } of step.passing) removeUnit(name)
  }
}

/** The owner's own file may hold secrets: nobody but networkd is to read what comes from it. */
function putUnit({ name, text }: Unit): void {
  const path = `${unitFolder}/${name}`
  const fresh = `${path}.new`
  const made = mkdirSync(dirname(path), { recursive: true })
  // Whatever the caller's umask is.
  if (made !== undefined) chmodSync(dirname(path), 0o755)
  writeFileSync(fresh, text, { mode: 0o600 })
  const group = statSync(netifFolder, { throwIfNoEntry: false })?.gid
  if (group !== undefined) chownSync(fresh, 0, group)
  chmodSync(fresh, group === undefined ? 0o644 : 0o640)
  renameSync(fresh, path)
}

function removeUnit(name: string): void {
  rmSync(`${unitFolder}/${name}`, { force: true })
  if (!name.includes('/')) return
  try {
    rmdirSync(dirname(`${unitFolder}/${name}`))
  } catch {
    // It holds what is not ours.
  }
}

async function reload(step: NetworkdStep, onSpawn: (child: ProcessId) => void): Promise<void> {
  const { ok, message } = await ask(networkctl, ['reload'], onSpawn)
  if (!ok) throw new CommandError('failed', `networkctl reload: ${message}`)
  const links = await showLinks()
  const deadline = performance.now() + patience
  const isDone = (): boolean =>
    step.awaits.every(({ dev }) => isSettled(links.find(({ name }) => name === dev))) &&
    step.released.every((dev) => isReleased(links.find(({ name }) => name === dev)))
  while (!isDone() && performance.now() < deadline) await sleep(10)
}

/** A server that answers gives the lease within that; whether networkd has taken the files is for who compares to see. */
const patience = 4000

const isSettled = (link: Link | undefined): boolean => {
  const state = link === undefined ? undefined : sayingsOf(link.index)('ADMIN_STATE')
  return link === undefined || state === 'configured' || state === 'failed'
}

const isReleased = (link: Link | undefined): boolean =>
  link === undefined || sayingsOf(link.index)('ADMIN_STATE') === 'unmanaged'
