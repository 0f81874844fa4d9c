import { readFileSync } from 'node:fs'
import { refusal } from '../errors.ts'
import type { Family } from '../names.ts'
import { tableName } from '../nft-names.ts'
import type { Firewall, FirewallChain, FirewallRule } from '../state.ts'
import { runFed, type FedResult } from './fed.ts'
import { readFirewalld } from './firewalld.ts'
import { hasNft, nft } from './nft.ts'
import {
  iptablesRulesNaming,
  isClosed,
  parseIptables,
  parseRuleset,
  rulesNaming,
  type ListedChain,
  type Ruleset,
} from './parse-firewall.ts'
import type { ProcessId } from './process.ts'
import { isExecutable } from './program.ts'

/** The door to the host's own firewall: nft, and the iptables in which the host has rules already. It makes no table and no chain. */

const seconds = 10

const programs: Readonly<Record<Family, string>> = { 4: 'iptables', 6: 'ip6tables' }

/** Its way of old in the kernel, and the one by nftables. */
type Variant = 'legacy' | 'nft'

const folders = ['/usr/sbin', '/sbin', '/usr/bin']

const programPath = (name: string): string | undefined =>
  folders.map((folder) => `${folder}/${name}`).find(isExecutable)

/** Where there is one variant only, it goes without a suffix. */
const toolPath = (tool: string, suffix = ''): string | undefined =>
  programPath(tool + suffix) ?? programPath(tool.replace(/-(?:legacy|nft)$/u, '') + suffix)

interface Listing {
  readonly tool: string
  readonly families: readonly Family[]
  readonly chains: readonly ListedChain[]
}

/** The families whose bridged frames the kernel shows to the firewall, on every bridge. */
const bridgedFamilies = (): readonly Family[] =>
  ([4, 6] as const).filter(
    (family) => readSwitch(`/proc/sys/net/bridge/bridge-nf-call-${programs[family]}`) === '1',
  )

function readSwitch(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return undefined
  }
}

/** Throws where nft or iptables does not list what it has. */
async function readFirewall(bridge: string): Promise<Firewall> {
  const [listings, firewalld] = await Promise.all([listAll(), readFirewalld()])
  return {
    bridged: bridgedFamilies(),
    closed: listings.flatMap(closedChains),
    rules: listings.flatMap(({ tool, chains }) => ownRules(tool, chains, bridge)),
    firewalld,
  }
}

/** Rules that tell the link from others, each with where it stands. */
export async function firewallRulesNaming(link: string): Promise<readonly string[]> {
  const legacy = await Promise.all(([4, 6] as const).map((family) => listIptables(family, 'legacy')))
  return [
    ...rulesNaming(link, await listRuleset()),
    ...legacy.flatMap((listing) =>
      listing === undefined
        ? []
        : iptablesRulesNaming(link, listing.chains).map((rule) => `${listing.tool} ${rule}`),
    ),
  ]
}

/** Whom it lets through is for its zones to say (firewalld.ts). */
const firewalldTable = 'inet firewalld'

async function listRuleset(): Promise<Ruleset> {
  if (!hasNft()) return { chains: [], sets: [] }
  const { ok, stdout, message } = await nft(['-s', '-a', 'list', 'ruleset'])
  if (!ok) throw new Error(`nft: ${message}`)
  const { chains, sets } = parseRuleset(stdout)
  const isOther = ({ table }: { readonly table: string }): boolean =>
    table !== `inet ${tableName}` && table !== firewalldTable
  return { chains: chains.filter(isOther), sets: sets.filter(isOther) }
}

async function listAll(): Promise<readonly Listing[]> {
  const { chains } = await listRuleset()
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

/** `undefined` where it has nothing, or is not installed: to ask it would make its tables. */
async function listIptables(family: Family, variant: Variant): Promise<Listing | undefined> {
  const tool = `${programs[family]}-${variant}`
  const path = toolPath(tool)
  if (path === undefined || (variant === 'legacy' && !hasLegacyFilter(family))) return undefined
  const { ok, stdout, message } = await runFed(path, ['-w', '-S'], { input: '', seconds })
  if (!ok) throw new Error(`${tool}: ${message}`)
  return { tool, families: [family], chains: parseIptables(stdout) }
}

const hasLegacyFilter = (family: Family): boolean =>
  (readSwitch(`/proc/net/${family === 4 ? 'ip' : 'ip6'}_tables_names`) ?? '').split('\n').includes('filter')

/** Chains in which Docker leaves what it finds, and which it asks first. */
const dockerUser = 'DOCKER-USER'

function closedChains({ tool, families, chains }: Listing): readonly FirewallChain[] {
  return chains.flatMap((chain) => {
    const { table, name, hook } = chain
    if ((hook !== 'forward' && hook !== 'input') || !isClosed(chain, chains)) return []
    if (tool === 'nft') return [{ tool, name: `${table} ${name}`, hook, families }]
    const isDocker = hook === 'forward' && chains.some((other) => other.name === dockerUser)
    return [{ tool, name: isDocker ? dockerUser : name, hook, families }]
  })
}

const ownRules = (tool: string, chains: readonly ListedChain[], bridge: string): readonly FirewallRule[] =>
  chains.flatMap(({ table, name, rules }) =>
    rules
      .filter(({ text }) => text.includes(`"qemu-tap-hooks ${bridge} `))
      .map(({ text, handle }) => ({
        tool,
        chain: tool === 'nft' ? `${table} ${name}` : name,
        text,
        handle,
      })),
  )

/** The lines for nft, or for an iptables-restore; all or nothing. Does not throw when it refuses. */
export function loadRules(
  tool: string,
  lines: readonly string[],
  onSpawn: (child: ProcessId) => void,
): Promise<FedResult> {
  if (tool === 'nft') return nft(['-f', '-'], { input: `${lines.join('\n')}\n`, onSpawn })
  const path = toolPath(tool, '-restore')
  if (path === undefined) throw refusal(`${tool}-restore cannot be run`, 'install iptables')
  const input = ['*filter', ...lines, 'COMMIT', ''].join('\n')
  return runFed(path, ['-w', '--noflush'], { input, seconds, onSpawn })
}

/** A firewall that cannot be read is no reason to leave the network half-way: that is decided by who compares. */
export async function tryFirewall(bridge: string): Promise<Firewall | undefined> {
  try {
    return await readFirewall(bridge)
  } catch {
    return undefined
  }
}
