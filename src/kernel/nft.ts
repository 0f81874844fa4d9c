import { CommandError, refusal } from '../errors.ts'
import { bridgeOfChain, tableName } from '../nft-names.ts'
import type { ChainSet } from '../state.ts'
import { runFed, type FedResult } from './fed.ts'
import type { ProcessId } from './process.ts'
import { isExecutable } from './program.ts'

/** The door to nftables: `nft`, found by absolute path and never through the caller's PATH. */

const places = ['/usr/sbin/nft', '/sbin/nft', '/usr/bin/nft']

const seconds = 10

export const hasNft = (): boolean => places.some(isExecutable)

export async function nft(
  args: readonly string[],
  { input = '', onSpawn }: { input?: string; onSpawn?: (child: ProcessId) => void } = {},
): Promise<FedResult> {
  const path = places.find(isExecutable)
  if (path === undefined) throw refusal(`none of ${places.join(', ')} can be run`, 'install nftables')
  return runFed(path, args, { input, seconds, onSpawn })
}

/** Loads the lines, all or nothing. Does not throw when nft refuses. */
export const nftLoad = (text: string, onSpawn: (child: ProcessId) => void): Promise<FedResult> =>
  nft(['-f', '-'], { input: `${text}\n`, onSpawn })

/** Whether this nft and this kernel know all that is in the lines. Nothing is loaded. */
export const nftKnows = async (text: string): Promise<boolean> =>
  hasNft() && (await nft(['-c', '-f', '-'], { input: `${text}\n` })).ok

/**
 * What is in our table, a set for each bridge. Where there is no nft, nobody has put anything there. Throws when nft does not
 * list it.
 */
export async function listChains(): Promise<readonly ChainSet[]> {
  if (!hasNft()) return []
  // Somebody may remove the table between the two looks.
  return (await tryList()) ?? (await tryList()) ?? throwUnlisted()
}

async function tryList(): Promise<readonly ChainSet[] | undefined> {
  const tables = await nft(['list', 'tables', 'inet'])
  if (!tables.ok) return undefined
  if (!tables.stdout.split('\n').includes(`table inet ${tableName}`)) return []
  const listing = await nft(['-s', 'list', 'table', 'inet', tableName])
  return listing.ok ? parseChains(listing.stdout) : undefined
}

const throwUnlisted = (): never => {
  throw new CommandError('failed', 'nft does not list its tables')
}

function parseChains(listing: string): readonly ChainSet[] {
  const sets = new Map<string, ChainSet>()
  for (const [text, name = ''] of listing.matchAll(/^\tchain (\S+) \{$[^]*?^\t\}$/gmu)) {
    const bridge = bridgeOfChain(name) ?? name
    const before = sets.get(bridge)
    const id = /^\t\tcomment "qemu-tap-hooks ([0-9a-f]{8,16})"$/mu.exec(text)?.[1] ?? ''
    sets.set(bridge, {
      bridge,
      id: before?.id ?? id,
      text: before === undefined ? text : `${before.text}\n\n${text}`,
      listed: true,
    })
  }
  return [...sets.values()]
}
