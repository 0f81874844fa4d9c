import fs from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'
import { bootId } from '../kernel/clock.ts'
import { findLink, type Link } from '../state.ts'
import { namespaceInode } from './run-dir.ts'

/** The taps that went with a bridge when it was taken back under them: the next brup attaches them again. */

const fileSchema = v.object({
  schema: v.literal(1),
  bootId: v.string(),
  namespace: v.string(),
  taps: v.array(v.object({ name: v.string(), index: v.number() })),
})

type Tap = Pick<Link, 'name' | 'index'>

const pathOf = (runDir: string, bridge: string): string => join(runDir, `detached-${bridge}.json`)

/** Those of them that are there still and on no bridge. */
export function detachedTaps(runDir: string, bridge: string, links: readonly Link[]): readonly Link[] {
  const known = read(runDir, bridge)
  return links.filter(
    ({ name, index, kind, master }) =>
      kind === 'tun' && master === undefined && known.some((tap) => tap.name === name && tap.index === index),
  )
}

function read(runDir: string, bridge: string): readonly Tap[] {
  try {
    const file = v.parse(fileSchema, JSON.parse(fs.readFileSync(pathOf(runDir, bridge), 'utf8')))
    return file.bootId === bootId() && file.namespace === namespaceInode() ? file.taps : []
  } catch {
    return []
  }
}

/** Adds to those that are known. A run directory that is full costs the list, not the way back. */
export function rememberDetached(runDir: string, bridge: string, links: readonly Link[]): void {
  const taps = links.filter(({ kind }) => kind === 'tun').map(({ name, index }) => ({ name, index }))
  if (taps.length === 0) return
  const others = read(runDir, bridge).filter((old) => !taps.some(({ name }) => name === old.name))
  write(runDir, bridge, [...others, ...taps])
}

function write(runDir: string, bridge: string, taps: readonly Tap[]): void {
  const file = { schema: 1, bootId: bootId(), namespace: namespaceInode(), taps }
  const path = pathOf(runDir, bridge)
  try {
    fs.writeFileSync(`${path}.new`, JSON.stringify(file), { mode: 0o644 })
    fs.renameSync(`${path}.new`, path)
  } catch {
    fs.rmSync(`${path}.new`, { force: true })
  }
}

/** These taps, or all, are not to be attached again. Where that cannot be written they are: no reason to fail what is done. */
export function forgetDetached(runDir: string, bridge: string, links?: readonly Link[]): void {
  const isKept = ({ name }: Tap): boolean => links !== undefined && findLink({ links }, name) === undefined
  const rest = read(runDir, bridge).filter(isKept)
  if (rest.length > 0) write(runDir, bridge, rest)
  else
    try {
      fs.rmSync(pathOf(runDir, bridge), { force: true })
    } catch {
      // A run directory that is read-only.
    }
}
