import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { clientWords, commandWords } from '../client-words.ts'
import { endedLease, hasEnded, isLastEnded, withoutEnded } from '../dhclient-leases.ts'
import { keptLink } from '../dhcp-keeper.ts'
import { freshVariable, scriptsFor, throughScript } from '../dhcp-script.ts'
import { CommandError } from '../errors.ts'
import type { DhcpClient, Inherited } from '../owner-state.ts'
import type { ClientStart } from '../owner-step.ts'
import { spawnDaemon } from './detached.ts'
import { keepers, startKeeper } from './dhcp-keepers.ts'
import { clientFolder, found } from './dhcp-processes.ts'
import { namesIn, placeFile, readText } from './files.ts'
import {
  ancestorsOf,
  commandName,
  endProcess,
  networkNamespaceOf,
  openFilesOf,
  processIds,
  startTimeOf,
  type ProcessId,
} from './process.ts'
import { isExecutable } from './program.ts'
import { supervisorOf } from './supervisor.ts'

/** The door to DHCP clients. */

/** Those that look after the uplink or the bridge, and can be ended and begun again. */
export function dhcpClients(uplink: string, bridge: string): readonly DhcpClient[] {
  const running = found().flatMap(({ client }) => (typeof client === 'string' ? [] : [client]))
  const kept = new Map(keepers().map(({ client }) => [idOf(client), client]))
  const all = [
    ...[...kept.values()].map((client) => ({ ...client, pausing: true })),
    // dhcpcd does not show all that it was told.
    ...running.map((client) => ({ ...client, words: kept.get(idOf(client))?.words ?? client.words })),
  ].filter(({ dev }) => [uplink, bridge].includes(dev))
  // One that waits for its child to get a lease looks just like it.
  return [...new Map(all.map((client) => [idOf(client), client])).values()]
}

const idOf = ({ name, families, dev }: DhcpClient): string => `${name} ${families.join('')} ${dev}`

/** One that looks after the uplink, or may well do so, and cannot be ended and begun again. */
export async function clientInTheWay(
  uplink: string,
): Promise<{ name: string; pid: number; reason: string } | undefined> {
  for (const { process, name, links, client } of found()) {
    const { pid } = process
    if (links !== undefined && links.length > 0 && !links.includes(uplink)) continue
    if (typeof client === 'string') return { name, pid, reason: client }
    if (!isExecutable(client.path)) return { name, pid, reason: 'its program is not there any more' }
    const supervisor = await supervisorOf(pid)
    if (supervisor !== undefined) return { name, pid, reason: `${supervisor} would begin it again` }
  }
  return undefined
}

/** At once, and without a word to anybody: the lease stays, and so do the addresses. */
export async function stopClient(wanted: DhcpClient): Promise<void> {
  // First of all: it would begin the client again.
  for (const { process, client } of keepers()) if (idOf(client) === idOf(wanted)) await endProcess(process)
  for (const { process, client } of found())
    if (typeof client !== 'string' && idOf(client) === idOf(wanted)) {
      const companions = companionsOf(process)
      for (const each of [process, ...companions]) await endProcess(each)
    }
}

/**
 * The launcher of a dhcpcd, which has its pid file open, too, and so keeps another from beginning; and its helpers, of which some
 * outlive it.
 */
function companionsOf({ pid }: ProcessId): readonly ProcessId[] {
  const here = networkNamespaceOf(pid)
  const others = processIds().filter(
    (other) => other !== pid && commandName(other) === 'dhcpcd' && networkNamespaceOf(other) === here,
  )
  const pidFiles = new Set(openFilesOf(pid).filter((file) => /^\/run\/dhcpcd\/.*\.pid$/u.test(file)))
  const isLauncher = (other: number): boolean => openFilesOf(other).some((file) => pidFiles.has(file))
  const isHelper = (other: number): boolean => ancestorsOf(other).includes(pid)
  return others.flatMap((other) => {
    const startTime = startTimeOf(other)
    return startTime !== undefined && (isLauncher(other) || isHelper(other))
      ? [{ pid: other, startTime }]
      : []
  })
}

/** What clients had there while they lived on a bridge that is gone; settings may hold secrets. Where it cannot be removed it stays. */
export function forgetClientFiles(bridge: string): void {
  const folder = clientFolder()
  const isOf = (name: string): boolean =>
    (/^(?:dhclient[46]|dhcpcd|udhcpc4?)-(.*)\.(?:conf|leases|pid|fresh)$/u.exec(name)?.[1] ??
      keptLink(name)) === bridge
  try {
    for (const name of namesIn(folder).filter(isOf)) rmSync(`${folder}/${name}`, { force: true })
  } catch {
    // A file system that has become read-only is no reason to stay on the bridge.
  }
}

/** As a process of its own, for which nobody waits, or in the place of one that its keeper has begun. Throws where it cannot. */
export async function startClient({ client, inherits, kept }: ClientStart): Promise<void> {
  const { path } = client
  if (!isExecutable(path)) throw new CommandError('failed', `${path} cannot be run any more`)
  if (kept) await stopClient(client)
  const prepare = (): void => {
    mkdirSync(clientFolder(), { recursive: true, mode: 0o700 })
    for (const file of inherits) inherit(file)
    takeUpEnded(client)
  }
  if (kept) prepare()
  else attempt(prepare)
  for (const [file, text] of scriptsFor(client)) placeFile(file, text, 0o755)
  const fresh = `${clientFolder()}/udhcpc-${client.dev}.fresh`
  const { words, env } = throughScript(client, fresh)
  const marker = env[freshVariable] === undefined ? undefined : fresh
  if (!kept) {
    if (marker !== undefined)
      attempt(() => {
        writeFileSync(marker, '')
      })
    const [program = '', ...line] = commandWords({ ...client, words })
    spawnDaemon(program, line, env)
  } else startKeeper(client, { words, env }, marker)
}

/** What one is begun by that is about to end, of this version or of another. Throws where there is no room. */
export function expectScripts(client: DhcpClient): void {
  for (const [file, text] of scriptsFor(client)) if (!existsSync(file)) placeFile(file, text, 0o755)
}

/** On the uplink it asks anew where it cannot have its files: that is better than nobody. */
function attempt(work: () => void): void {
  try {
    work()
  } catch {
    // No room, or nothing there.
  }
}

function inherit({ from, to, as, oldDev, dev }: Inherited): void {
  if (!existsSync(from)) return
  mkdirSync(dirname(to), { recursive: true, mode: 0o700 })
  if (as === 'copy') {
    copyFileSync(from, to)
    return
  }
  const text = readFileSync(from, 'utf8')
  // Since a lease was ended there, the other file is the newer one.
  if (as === 'leases' && isLastEnded(text, oldDev) && existsSync(to)) return
  const own = renamed(withoutEnded(text), oldDev, dev)
  if (as === 'append') appendFileSync(to, own)
  else writeFileSync(to, own, { mode: 0o600 })
  if (as === 'append') rmSync(from)
  if (as === 'leases') appendFileSync(from, endedLease(text, oldDev))
}

/** What was in use elsewhere goes on here, or nobody knows it any more. */
function takeUpEnded({ name, words }: DhcpClient): void {
  const file = name === 'dhclient' ? clientWords(name, words)?.own.get('-lf') : undefined
  const text = file === undefined ? undefined : readText(file)
  if (file !== undefined && text !== undefined && hasEnded(text)) writeFileSync(file, withoutEnded(text))
}

/** In those lines of leases and settings that are about links. */
const renamed = (text: string, oldDev: string, dev: string): string =>
  text
    .split('\n')
    .map((line) =>
      /^\s*(?:interface|allowinterfaces|denyinterfaces)\b/.test(line)
        ? line.replaceAll(/[^\s",;{]+/g, (word) => (word === oldDev ? dev : word))
        : line,
    )
    .join('\n')
