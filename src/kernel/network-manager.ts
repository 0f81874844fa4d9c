import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { CommandError } from '../errors.ts'
import {
  forgetWords,
  recalledLines,
  releasedLine,
  releaseWords,
  stateFile,
  toldFile,
  toldFolder,
  upWords,
} from '../manager-words.ts'
import type { ManagedDevice, NetworkManager } from '../owner-state.ts'
import { bootSeconds, sleep } from './clock.ts'
import { runFed } from './fed.ts'
import { processesHere, startTimeOf, type ProcessId } from './process.ts'
import { isExecutable } from './program.ts'
import { placeFile, readText } from './files.ts'

/** The door to NetworkManager, where it runs in this network namespace. What it is told here it forgets with the machine's next start. */

const places = ['/usr/bin/nmcli', '/bin/nmcli']
/** For what it is told, and what it is asked: nobody waits long for an answer in the middle of a change. */
const seconds = 20
const questionSeconds = 3

type OnSpawn = (child: ProcessId) => void

const managerPids = (): readonly number[] => processesHere('NetworkManager')

export const isManagerRunning = (): boolean => managerPids().length > 0

/** In seconds: one that has just started has yet to say what it manages. */
const youth = 5
const ticksPerSecond = 100

export const isManagerYoung = (): boolean =>
  managerPids().some((pid) => bootSeconds() - Number(startTimeOf(pid) ?? 0) / ticksPerSecond < youth)

export const hasNmcli = (): boolean => places.some(isExecutable)

/** nmcli(1): the connection, device or access point does not exist. */
const isAbsent = 10

class AbsentError extends CommandError {
  constructor(message: string) {
    super('failed', message)
  }
}

/** Throws where it is refused. */
async function nmcli(words: readonly string[], onSpawn?: OnSpawn, limit = seconds): Promise<string> {
  const path = places.find(isExecutable)
  if (path === undefined) throw new CommandError('failed', 'NetworkManager runs, and nmcli is not installed')
  const { ok, exit, stdout, message } = await runFed(path, words, { input: '', seconds: limit, onSpawn })
  if (exit === isAbsent) throw new AbsentError(`nmcli ${words.join(' ')}: ${message}`)
  if (!ok) throw new CommandError('failed', `nmcli ${words.join(' ')}: ${message}`)
  return stdout
}

/** Values by their names, as `nmcli -t` prints them; it escapes colons and backslashes. */
async function show(fields: string, words: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const text = await nmcli(['-t', '-f', fields, ...words], undefined, questionSeconds)
  return new Map(
    text.split('\n').flatMap((line) => {
      const [, name = '', value = ''] = /^([^:]*):(.*)$/.exec(line) ?? []
      return name === '' ? [] : [[name, value.replaceAll(/\\(.)/g, '$1')] as const]
    }),
  )
}

export async function networkManager(uplink: string, bridge: string): Promise<NetworkManager> {
  const told = readText(toldFile(bridge))
  if (!isManagerRunning()) return { uplink: undefined, told }
  try {
    return { uplink: await linkOf(uplink), told }
  } catch {
    return { uplink: undefined, told, silent: true }
  }
}

/** A link as it sees it; `undefined` where it does not know it. Throws where it does not answer. */
export async function linkOf(dev: string): Promise<ManagedDevice | undefined> {
  const values = await fieldsOf(dev)
  if (values === undefined) return undefined
  const isFound = values.get('GENERAL.STATE')?.includes('externally') === true
  const uuid = values.get('GENERAL.CON-UUID') ?? ''
  return {
    managed: values.get('GENERAL.NM-MANAGED') === 'yes',
    autoconnect: values.get('GENERAL.AUTOCONNECT') === 'yes',
    profile: isFound || uuid === '' ? undefined : uuid,
  }
}

async function fieldsOf(dev: string): Promise<ReadonlyMap<string, string> | undefined> {
  try {
    const fields = ['STATE', 'NM-MANAGED', 'AUTOCONNECT', 'CON-UUID'].map((name) => `GENERAL.${name}`)
    return await show(fields.join(','), ['device', 'show', dev])
  } catch (error) {
    if (error instanceof AbsentError) return undefined
    throw error
  }
}

/** What NetworkManager has of name servers, whoever asks them: a stub of its own or of systemd-resolved is left out there. */
export function resolverOf(): { servers: readonly string[]; searches: readonly string[] } {
  const text = readText('/run/NetworkManager/no-stub-resolv.conf') ?? ''
  const words = (name: string): readonly string[] =>
    text.split('\n').flatMap((line) => (line.startsWith(`${name} `) ? line.split(/\s+/).slice(1) : []))
  return { servers: words('nameserver'), searches: words('search') }
}

/** Where it does not run it finds the file when it starts. */
export async function tellManager(bridge: string, text: string | undefined, onSpawn: OnSpawn): Promise<void> {
  const file = toldFile(bridge)
  if (text === undefined) rmSync(file, { force: true })
  else {
    mkdirSync(toldFolder, { recursive: true, mode: 0o755 })
    // NetworkManager reads what ends with `.conf`.
    writeFileSync(`${file}.new`, text, { mode: 0o644 })
    renameSync(`${file}.new`, file)
  }
  if (isManagerRunning()) await nmcli(['general', 'reload'], onSpawn)
}

export async function releaseLink(dev: string, to: ManagedDevice, onSpawn: OnSpawn): Promise<void> {
  for (const words of releaseWords(dev, to)) await nmcli(words, onSpawn)
}

/** Where it has no such file it looks after the link anyway. */
export function recallLink(index: number, to: ManagedDevice): void {
  const text = readText(stateFile(index))
  if (text === undefined || isManagerRunning()) return
  const lines = text
    .split('\n')
    .flatMap((line) => (line === releasedLine ? recalledLines(to) : [line]))
    .join('\n')
  placeFile(stateFile(index), lines, 0o644)
}

export async function forgetLink(dev: string, to: ManagedDevice, onSpawn: OnSpawn): Promise<void> {
  const [take = [], ...others] = forgetWords(dev, to)
  await nmcli(take, onSpawn)
  await untilState(dev, (state) => state >= unavailable)
  for (const words of others) await nmcli(words, onSpawn)
}

export async function bringUp(dev: string, to: ManagedDevice, onSpawn: OnSpawn): Promise<void> {
  for (const words of upWords(dev, to)) {
    const isProfile = words[0] === 'connection'
    await nmcli(isProfile ? ['--wait', '0', ...words] : words, onSpawn)
    if (isProfile) await untilState(dev, (state) => state >= activated)
  }
}

/** NMDeviceState. A link is that also without carrier. */
const unavailable = 20
/** Without a DHCP server it does not come so far. */
const activated = 100
const patience = 2000

async function untilState(dev: string, isReached: (state: number) => boolean): Promise<void> {
  const deadline = performance.now() + patience
  for (;;) {
    const values = await show('GENERAL.STATE', ['device', 'show', dev])
    if (isReached(Number.parseInt(values.get('GENERAL.STATE') ?? '', 10)) || performance.now() > deadline)
      return
    await sleep(20)
  }
}

/** Settings of a profile, those that it has of the named ones. */
export async function profileOf(
  uuid: string,
  settings: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  // Not all profiles have a section for 802.1X, and nmcli refuses to show what is not there.
  const sections = [...new Set(settings.map((name) => name.split('.')[0] ?? ''))]
  return show(sections.join(','), ['connection', 'show', 'uuid', uuid])
}

/** The lease that its own DHCP client has for a link. */
export interface ManagedLease {
  readonly address: string
  /** As bytes in hexadecimal, colons between them. */
  readonly clientId: string | undefined
  readonly hostname: string | undefined
}

export async function leaseOf(dev: string): Promise<ManagedLease | undefined> {
  const lines = await show('DHCP4', ['device', 'show', dev])
  const options = new Map([...lines.values()].map((line) => line.split(' = ', 2) as [string, string]))
  const address = options.get('ip_address')
  if (address === undefined) return undefined
  const clientId = options.get('dhcp_client_identifier')
  return {
    address,
    clientId: /^[0-9a-f]{1,2}(:[0-9a-f]{1,2})+$/i.test(clientId ?? '') ? clientId : undefined,
    hostname: options.get('host_name'),
  }
}
