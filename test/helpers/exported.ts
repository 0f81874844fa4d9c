import { expect } from 'vitest'

import type { ExportKind } from '../../src/options.ts'
import type { Lab, LabOptions } from '../lab/lab.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'
import { inLab, ok, until } from './tap.ts'

interface ExportedFile {
  readonly path: string
  readonly mode: string
  readonly text: string
}

export interface Export {
  readonly kind: string
  readonly files: readonly ExportedFile[]
  readonly notes: readonly string[]
}

export const exported = async (lab: Lab, kind: ExportKind, bridge = 'br0'): Promise<Export> =>
  (JSON.parse(await ok(lab, `brup ${bridge} --export ${kind} --json --quiet`)) as { export: Export }).export

export const nameOf = (path: string): string => path.split('/').at(-1) ?? ''

/** Writes the files into one folder of the lab. */
export async function place(lab: Lab, { files }: Export, folder: string): Promise<void> {
  await lab.ok('host', ['mkdir', '-p', folder])
  for (const { path, mode, text } of files) {
    const to = `${folder}/${nameOf(path)}`
    await lab.ok('host', ['tee', to], { input: text })
    await lab.ok('host', ['chmod', mode, to])
  }
}

/** What brup prints on one host, and how that host is then. */
export interface Host {
  readonly wanted: string
  readonly config: Export
}

export async function raisedHost(
  kind: ExportKind,
  load: (lab: Lab) => Promise<void>,
  options: LabOptions = {},
): Promise<Host> {
  const hosts: Host[] = []
  await inLab(async (lab) => {
    await load(lab)
    await ok(lab, 'brup')
    const config = await exported(lab, kind)
    hosts.push({ wanted: await snapshot(lab), config })
  }, options)
  const [host] = hosts
  if (host === undefined) throw new Error('no host')
  return host
}

/** What a manager does in a way of its own, each with what it stands for. */
export type Manners = readonly (readonly [RegExp, string])[]

/** Nothing of ours is left: our mark, and what keeps the uplink from asking for a lease. */
const ours: Manners = [
  [/ alias qemu-tap-hooks [0-9a-f]+/g, ''],
  [/\ntable (?:bridge|netdev) qemu-tap-hooks-\S+ \{[^]*?\n\}/g, ''],
]

/** Expects the host to become as it was when `wanted` was taken, but for these manners and lines. */
export async function expectSame(
  lab: Lab,
  wanted: string,
  { manners, lines = [] }: { manners: Manners; lines?: readonly string[] },
): Promise<void> {
  const plain = (text: string): string =>
    [...manners, ...ours].reduce((done, [pattern, with_]) => done.replaceAll(pattern, with_), text)
  let left: readonly string[] = ['never looked']
  await until(
    'the host is the same',
    async () => {
      left = diffSnapshots(plain(wanted), plain(await snapshot(lab))).filter((line) => !lines.includes(line))
      return left.length === 0
    },
    25,
  ).catch(() => undefined)
  expect(left).toEqual([])
}
