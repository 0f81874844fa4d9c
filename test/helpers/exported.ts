import { expect } from 'vitest'

import type { ExportKind } from '../../src/options.ts'
import type { Lab, LabOptions } from '../lab/lab.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'
import { withoutDad } from '../lab/settle.ts'
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

/** A host with much that a configuration has to say. */
export const layLoad = (lab: Lab): Promise<void> =>
  withoutDad(lab, ['eth0'], async () => {
    await lab.ip('host', [
      'addr add 192.168.1.51/24 dev eth0',
      'addr add 10.9.0.1/24 dev eth0 label eth0:9',
      'addr add fd01::51/64 dev eth0',
      'route add 10.7.0.0/16 via 192.168.1.1 dev eth0 mtu 1300 src 192.168.1.51',
      'route add default via 192.168.1.1 dev eth0 table 100',
      'route add fd77::/64 via fd01::1 dev eth0 metric 5',
      'rule add iif eth0 lookup 100 priority 500',
      'rule add from 192.168.1.51 lookup 100 priority 501',
      'neigh replace 192.168.1.77 lladdr 02:00:00:00:00:77 dev eth0 nud permanent',
    ])
  })

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

const ourMark = [/ alias qemu-tap-hooks [0-9a-f]+/g, ''] as const

/** Expects the host to become as it was when `wanted` was taken, but for these manners and lines. */
export async function expectSame(
  lab: Lab,
  wanted: string,
  { manners, lines = [] }: { manners: Manners; lines?: readonly string[] },
): Promise<void> {
  const plain = (text: string): string =>
    [...manners, ourMark].reduce((done, [pattern, with_]) => done.replaceAll(pattern, with_), text)
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
