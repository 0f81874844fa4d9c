import { join } from 'node:path'
import { CommandError } from '../errors.ts'
import type { ResolvconfRecord } from '../owner-state.ts'
import type { Link } from '../state.ts'
import type { ResolvconfStep } from '../owner-step.ts'
import { runFed } from './fed.ts'
import type { ProcessId } from './process.ts'
import { isExecutable } from './program.ts'
import { namesIn, readText } from './files.ts'

/** The door to resolvconf, Debian's or openresolv: a record of name servers for each link, and for each program that knows of some. */

const places = ['/usr/sbin/resolvconf', '/sbin/resolvconf']
const folders = ['/run/resolvconf/interface', '/run/resolvconf/interfaces', '/run/resolvconf/keys']
const seconds = 20

/** Those of a link, by its name (`br0`, `br0.dhclient`); `undefined` where there is no resolvconf. */
export function resolvconfRecords(
  dev: string,
  links: readonly Link[],
): readonly ResolvconfRecord[] | undefined {
  if (!places.some(isExecutable)) return undefined
  // `br0.100.dhclient` is of br0.100, if there is such a link.
  const others = links.map(({ name }) => name).filter((name) => name.startsWith(`${dev}.`))
  const isOf = (record: string, name: string): boolean => record === name || record.startsWith(`${name}.`)
  return folders
    .flatMap(recordsIn)
    .filter(({ name }) => isOf(name, dev) && !others.some((other) => isOf(name, other)))
}

function recordsIn(folder: string): readonly ResolvconfRecord[] {
  return namesIn(folder).flatMap((name) => {
    const text = readText(join(folder, name))
    return text === undefined ? [] : [{ name, text }]
  })
}

/** Whether it did so shows in its records: what it runs after a change may fail for reasons of its own. */
export async function tellResolvconf(
  step: ResolvconfStep,
  onSpawn: (child: ProcessId) => void,
): Promise<void> {
  const path = places.find(isExecutable)
  if (path === undefined) throw new CommandError('failed', 'resolvconf is not there any more')
  const { name } = step.record
  const [option, input] = step.op === 'resolvconf.add' ? ['-a', step.record.text] : ['-d', '']
  await runFed(path, [option, name], { input, seconds, onSpawn })
}
