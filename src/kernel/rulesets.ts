import type { Family } from '../names.ts'
import { tableName } from '../nft-names.ts'
import { runFed } from './fed.ts'
import { readText } from './files.ts'
import { hasNft, nft } from './nft.ts'
import {
  iptablesRulesNaming,
  parseIptables,
  parseRuleset,
  rulesNaming,
  type ListedChain,
  type Ruleset,
} from './parse-firewall.ts'
import { isExecutable } from './program.ts'

/** What nft lists, and the iptables in which the host has rules already: to ask them makes no table and no chain. */

/** How long one may take. */
export const seconds = 10

export const programs: Readonly<Record<Family, string>> = { 4: 'iptables', 6: 'ip6tables' }

/** Its way of old in the kernel, and the one by nftables. */
type Variant = 'legacy' | 'nft'

const folders = ['/usr/sbin', '/sbin', '/usr/bin']

const programPath = (name: string): string | undefined =>
  folders.map((folder) => `${folder}/${name}`).find(isExecutable)

/** Where there is one variant only, it goes without a suffix, and tells which it is. */
export async function toolPath(tool: string, suffix = ''): Promise<string | undefined> {
  const own = programPath(tool + suffix)
  if (own !== undefined) return own
  const [, plain = '', variant = ''] = /^(.+)-(legacy|nft)$/u.exec(tool) ?? []
  const path = programPath(plain)
  if (path === undefined) return undefined
  const { stdout } = await runFed(path, ['--version'], { input: '', seconds })
  const isThat = stdout.includes('(nf_tables)') === (variant === 'nft')
  return isThat ? programPath(plain + suffix) : undefined
}

export interface Listing {
  readonly tool: string
  readonly families: readonly Family[]
  readonly chains: readonly ListedChain[]
}

/** Whom it lets through is for its zones to say (firewalld.ts). */
const firewalldTable = 'inet firewalld'

export async function listRuleset(): Promise<Ruleset> {
  if (!hasNft()) return { tables: [], chains: [], sets: [] }
  const { ok, stdout, message } = await nft(['-s', '-a', 'list', 'ruleset'])
  if (!ok) throw new Error(`nft: ${message}`)
  const { tables, chains, sets } = parseRuleset(stdout)
  const isOther = ({ table }: { readonly table: string }): boolean =>
    table !== `inet ${tableName}` && table !== firewalldTable
  return { tables, chains: chains.filter(isOther), sets: sets.filter(isOther) }
}

export async function listAll({ chains }: Ruleset): Promise<readonly Listing[]> {
  const isIptables = ({ table, name }: ListedChain, family: Family): boolean =>
    table === iptablesTable[family] && (name === 'FORWARD' || name === 'INPUT')
  // Without nft nobody else knows; to ask iptables by nftables makes nothing.
  const families = ([4, 6] as const).filter(
    (family) => !hasNft() || chains.some((chain) => isIptables(chain, family)),
  )
  const both = await Promise.all([
    ...families.map((family) => listIptables(family, 'nft')),
    ...([4, 6] as const).map((family) => listIptables(family, 'legacy')),
  ])
  const iptables = both.filter((listing) => listing !== undefined)
  const taken = new Set(
    iptables
      .filter(({ tool }) => tool.endsWith('-nft'))
      .map(({ families: [family = 4] }) => iptablesTable[family]),
  )
  return [...iptables, ...nftListings(chains.filter(({ table }) => !taken.has(table)))]
}

const iptablesTable: Readonly<Record<Family, string>> = { 4: 'ip filter', 6: 'ip6 filter' }

const nftFamilies: Readonly<Record<string, readonly Family[]>> = { ip: [4], ip6: [6], inet: [4, 6] }

function nftListings(chains: readonly ListedChain[]): readonly Listing[] {
  return Object.entries(nftFamilies).map(([word, families]) => ({
    tool: 'nft',
    families,
    chains: chains.filter(({ table }) => table.startsWith(`${word} `)),
  }))
}

/**
 * `undefined` where it has nothing, or is not installed: to ask it of old would make its tables. One that somebody made with nft
 * in words that it does not know is not its own.
 */
async function listIptables(
  family: Family,
  variant: Variant,
  table = 'filter',
): Promise<Listing | undefined> {
  if (variant === 'legacy' && !legacyTables(family).includes(table)) return undefined
  const tool = `${programs[family]}-${variant}`
  const path = await toolPath(tool)
  if (path === undefined) return undefined
  const { ok, stdout, stderr, message } = await runFed(path, ['-w', '5', '-t', table, '-S'], {
    input: '',
    seconds,
  })
  if (!ok && stderr.includes('incompatible')) return undefined
  if (!ok) throw new Error(`${tool}: ${message}`)
  return { tool, families: [family], chains: parseIptables(stdout) }
}

const legacyTables = (family: Family): readonly string[] =>
  (readText(`/proc/net/${family === 4 ? 'ip' : 'ip6'}_tables_names`) ?? '')
    .split('\n')
    .filter((name) => name !== '')
    .sort()

/** Rules that tell the link from others, each with where it stands. */
export async function firewallRulesNaming(link: string): Promise<readonly string[]> {
  const legacy = await Promise.all(
    ([4, 6] as const).flatMap((family) =>
      legacyTables(family).map(async (table) => {
        const listing = await listIptables(family, 'legacy', table)
        const rules = iptablesRulesNaming(link, listing?.chains ?? [])
        return rules.map((rule) => `${programs[family]}-legacy -t ${table} ${rule}`)
      }),
    ),
  )
  return [...rulesNaming(link, await listRuleset()), ...legacy.flat()]
}
