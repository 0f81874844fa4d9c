import { chmodSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { CommandError } from '../errors.ts'
import type { ResolvedLink } from '../owner-state.ts'
import type { Link, NetworkState } from '../state.ts'
import { resolvectlWords, savedFolder } from '../resolved-words.ts'
import type { ResolvedStep } from '../owner-step.ts'
import { sleep } from './clock.ts'
import { runFed } from './fed.ts'
import { readText } from './files.ts'
import { processesHere, type ProcessId } from './process.ts'
import { isExecutable } from './program.ts'

/**
 * The door to systemd-resolved, where it runs in this network namespace. What it was told of a link at run time it keeps in a file for its
 * next start (link_save_user()); D-Bus tells only what comes of it.
 */

const places = ['/usr/bin/resolvectl', '/bin/resolvectl']
const seconds = 10

const isRunning = (): boolean => processesHere('systemd-resolve', dirname(savedFolder)).length > 0

/** What it was told of these links, if anything; `undefined` where it does not run. */
export const resolvedLinks = (links: readonly Link[]): NetworkState['resolved'] =>
  isRunning()
    ? links.flatMap(({ name, index }) => {
        const text = savedText(index)
        return text === undefined ? [] : [{ dev: name, settings: parseSaved(text) }]
      })
    : undefined

/** There is no file where all is as it was without a word, and where systemd-networkd tells it. */
const savedText = (index: number): string | undefined => readText(`${savedFolder}/${index}`)

/** The settings by which the file has them, and the commands of resolvectl. */
const commands: ReadonlyMap<string, string> = new Map([
  ['SERVERS', 'dns'],
  ['DOMAINS', 'domain'],
  ['DEFAULT_ROUTE', 'default-route'],
  ['LLMNR', 'llmnr'],
  ['MDNS', 'mdns'],
  ['DNSOVERTLS', 'dnsovertls'],
  ['DNSSEC', 'dnssec'],
  ['NTAS', 'nta'],
])

export const parseSaved = (text: string): ResolvedLink['settings'] =>
  Object.fromEntries(
    text.split('\n').flatMap((line) => {
      const [, name = '', value = ''] = /^([A-Z_]+)=(.*)$/.exec(line) ?? []
      const command = commands.get(name)
      const words = value.split(' ').filter((word) => word !== '')
      return command === undefined || words.length === 0 ? [] : [[command, valuesOf(command, words)]]
    }),
  )

function valuesOf(command: string, words: readonly string[]): readonly string[] {
  // A set, in whatever order.
  if (command === 'nta') return [...words].sort()
  // A link-local address with the index of its own link (`fe80::1%2`), which it does not need.
  return command === 'dns' ? words.map((word) => word.replace(/%[^#]*/, '')) : words
}

type OnSpawn = (child: ProcessId) => void

/** Throws where it refuses. */
export async function tellResolved(step: ResolvedStep, onSpawn: OnSpawn): Promise<void> {
  if (step.op === 'dns.hold') {
    setWritable(false)
    return
  }
  if (step.op !== 'dns.release') {
    setWritable(true)
    await resolvectl(resolvectlWords(step), onSpawn)
    return
  }
  const { dev, index, settings } = step
  // It hears of links before it answers anybody (manager_rtnl_listen()): a question later it has forgotten what it is to forget.
  await ask(['dns', dev], onSpawn)
  setWritable(true)
  const kept = parseSaved(savedText(index) ?? '')
  for (const [key, values] of Object.entries(settings))
    if (kept[key]?.join(' ') !== values.join(' '))
      await resolvectl(resolvectlWords({ op: 'dns.set', dev, key, values }), onSpawn)
}

/** Whatever came in the way of a switch: it may write its files again. */
export const letResolvedWrite = (): void => {
  setWritable(true)
}

const writable = 0o200

/** It is not root, so it removes nothing from a folder that it cannot write. Without this it is told again what it has lost. */
function setWritable(isWritable: boolean): void {
  try {
    const mode = statSync(savedFolder).mode & 0o7777
    const wanted = isWritable ? mode | writable : mode & ~writable
    if (mode !== wanted) chmodSync(savedFolder, wanted)
  } catch {
    // It was told nothing yet, so there is no such folder.
  }
}

const patience = 2000

/** It hears of a new link a moment later than we do. */
async function resolvectl(words: readonly string[], onSpawn: OnSpawn): Promise<void> {
  const message = await ask(words, onSpawn)
  if (message !== undefined) throw new CommandError('failed', `resolvectl ${words.join(' ')}: ${message}`)
}

/** Why it does not answer, if it does not. */
async function ask(words: readonly string[], onSpawn: OnSpawn): Promise<string | undefined> {
  const path = places.find(isExecutable)
  if (path === undefined) return 'systemd-resolved runs, and resolvectl is not installed'
  const deadline = performance.now() + patience
  for (;;) {
    const { ok, message } = await runFed(path, words, { input: '', seconds, onSpawn })
    if (ok) return undefined
    if (!message.includes('not known') || performance.now() > deadline) return message
    await sleep(20)
  }
}
