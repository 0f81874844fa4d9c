import fs from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'
import { codeOf, messageOf, refusal } from '../errors.ts'
import { bootId, bootSeconds } from '../kernel/clock.ts'
import { parseHostCidr } from '../names.ts'
import type { Left } from '../plan/drift.ts'
import type { Opening } from '../plan/firewall-rules.ts'
import type { Sides } from '../plan/footprint.ts'
import { withIndexes } from '../plan/repaired-goal.ts'
import { findLink, type NetworkState } from '../state.ts'
import { familySchema, stateSchema, sysctlSchema } from '../state-schema.ts'
import { namespaceInode } from './run-dir.ts'

/** What is written before the first change: enough to put everything back, whoever does it. */

const processSchema = v.object({ pid: v.number(), startTime: v.string() })

const journalSchema = v.object({
  schema: v.literal(1),
  /** Random; the bridge carries it in its alias. */
  id: v.pipe(v.string(), v.regex(/^[0-9a-f]{8,16}$/)),
  bootId: v.string(),
  namespace: v.string(),
  bridge: v.string(),
  /** Absent where the bridge has none. */
  uplink: v.optional(v.object({ name: v.string(), index: v.number(), mac: v.string() })),
  /** Whether the bridge was there before. */
  adopted: v.boolean(),
  /** What the user told brup. */
  told: v.object({
    addresses: v.array(v.string()),
    gateways: v.array(v.string()),
    nat: v.optional(v.boolean(), false),
    dhcp: v.optional(v.boolean(), false),
    /** `tcp 8080 192.168.40.9:80` */
    forwards: v.optional(v.array(v.string()), []),
    firewall: v.optional(v.picklist(['open', 'warn']), 'open'),
  }),
  /** What is forwarded for its guests, and the settings before any bridge here needed that. */
  routed: v.optional(v.object({ families: v.array(familySchema), before: v.array(sysctlSchema) })),
  /** The network before brup: the goal of brdown. */
  original: stateSchema,
  /** The network when brup committed; absent until then. */
  raised: v.optional(stateSchema),
  /** A change under way: its command, the state to go back to, and the `ip` or `nft` that it has running. */
  pending: v.optional(
    v.object({
      command: v.picklist(['brup', 'brdown']),
      before: stateSchema,
      child: v.optional(processSchema),
      /** Applied and verified; taken back at that second of CLOCK_MONOTONIC, unless accepted. */
      trial: v.optional(v.object({ until: v.number(), raised: stateSchema })),
    }),
  ),
})

export type Journal = v.InferOutput<typeof journalSchema>

/** What a brup that committed left behind. */
export const leftBy = (journal: Journal): Left | undefined => {
  const { id, adopted, raised, routed } = journal
  if (raised === undefined) return undefined
  return {
    sides: sidesOf(journal),
    id,
    adopted,
    raised,
    routed: routed?.families ?? [],
    opening: openingOf(journal),
    at: bootSeconds(),
  }
}

/** What its guests are let through the host's firewall by; `undefined` where that is to stay as it is. */
function openingOf({ id, bridge, uplink, told, raised }: Journal): Opening | undefined {
  if (told.firewall === 'warn') return undefined
  return {
    bridge,
    uplink: uplink?.name,
    id,
    addresses: told.addresses.map((text) => parseHostCidr(text)),
    nat: told.nat,
    isPublishing: told.forwards.length > 0,
    isServing: raised?.dnsmasq !== undefined,
  }
}

export const sidesOf = ({ uplink, bridge }: Pick<Journal, 'uplink' | 'bridge'>): Sides => ({
  uplink: uplink?.name,
  bridge,
})

/** With the indexes of links that were made, or plugged in, anew. */
export function asOfNow(journal: Journal, now: NetworkState): Journal {
  const { uplink, raised } = journal
  const index = findLink(now, uplink?.name)?.index ?? uplink?.index ?? 0
  return {
    ...journal,
    uplink: uplink === undefined ? undefined : { ...uplink, index },
    raised: raised === undefined ? undefined : withIndexes(raised, now, sidesOf(journal)),
  }
}

const journalPath = (runDir: string, bridge: string): string => join(runDir, `journal-${bridge}.json`)

export type JournalSight =
  | { readonly kind: 'none' }
  | { readonly kind: 'usable'; readonly journal: Journal }
  /** Truncated, newer, or of another boot or namespace: reported, never applied, never deleted. */
  | {
      readonly kind: 'unusable'
      readonly path: string
      readonly reason: string
      /** Of another boot or namespace, so about nothing that is here. */
      readonly isForeign: boolean
    }

export function readJournal(runDir: string, bridge: string): JournalSight {
  const path = journalPath(runDir, bridge)
  const unusable = (reason: string, isForeign = false): JournalSight => ({
    kind: 'unusable',
    path,
    reason,
    isForeign,
  })
  let raw: unknown
  try {
    raw = JSON.parse(fs.readFileSync(path, 'utf8'))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return { kind: 'none' }
    return unusable(error instanceof SyntaxError ? 'is truncated or no JSON' : messageOf(error))
  }
  const version = v.safeParse(v.object({ schema: v.number() }), raw)
  if (version.success && version.output.schema > 1)
    return unusable(`was written by a newer version (schema ${version.output.schema})`)
  const parsed = v.safeParse(journalSchema, raw)
  if (!parsed.success) return unusable(`is damaged: ${v.getDotPath(parsed.issues[0]) ?? 'not an object'}`)
  const foreign = foreignness(parsed.output, bridge)
  return foreign === undefined ? { kind: 'usable', journal: parsed.output } : unusable(foreign, true)
}

function foreignness(journal: Journal, bridge: string): string | undefined {
  if (journal.bridge !== bridge) return `is about ${journal.bridge}`
  if (journal.bootId !== bootId()) return 'is of another boot'
  if (journal.namespace !== namespaceInode()) return 'is of another network namespace'
  return undefined
}

/** The bridges that have a journal here, usable or not. */
export function journalledBridges(runDir: string): readonly string[] {
  try {
    return fs
      .readdirSync(runDir)
      .flatMap((name) => /^journal-(.+)\.json$/.exec(name)?.[1] ?? [])
      .sort()
  } catch {
    return []
  }
}

/** On the disk, whole, when it returns. Throws (exit 3) when it cannot be written: nothing may be changed then. */
export function writeJournal(runDir: string, journal: Journal): void {
  try {
    writeDurably(journalPath(runDir, journal.bridge), JSON.stringify(journal))
  } catch (error) {
    const path = journalPath(runDir, journal.bridge)
    throw refusal(`cannot write the journal ${path}: ${codeOf(error)}`, `make room in ${runDir}`)
  }
}

export function deleteJournal(runDir: string, bridge: string): void {
  fs.rmSync(journalPath(runDir, bridge), { force: true })
  syncDir(runDir)
}

/** A new file beside the old one, and then its name: there is never half a journal. */
function writeDurably(path: string, text: string): void {
  const draft = `${path}.new`
  const file = fs.openSync(draft, 'w', 0o644)
  try {
    fs.writeFileSync(file, text)
    fs.fsyncSync(file)
  } finally {
    fs.closeSync(file)
  }
  fs.renameSync(draft, path)
  syncDir(join(path, '..'))
}

function syncDir(dir: string): void {
  const file = fs.openSync(dir, 'r')
  try {
    fs.fsyncSync(file)
  } finally {
    fs.closeSync(file)
  }
}
