import { readFileSync } from 'node:fs'
import { messageOf, refusal } from '../errors.ts'
import type { Family } from '../names.ts'
import { guardTable, tableName } from '../nft-names.ts'
import type { Firewall, FirewallChain, FirewallRule } from '../state.ts'
import { sleep } from './clock.ts'
import { runFed, type FedResult } from './fed.ts'
import { readFirewalld } from './firewalld.ts'
import { hasNft, nft } from './nft.ts'
import {
  closedBy,
  iptablesRulesNaming,
  leadsTo,
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

/** Where there is one variant only, it goes without a suffix, and tells which it is. */
async function toolPath(tool: string, suffix = ''): Promise<string | undefined> {
  const own = programPath(tool + suffix)
  if (own !== undefined) return own
  const [, plain = '', variant = ''] = /^(.+)-(legacy|nft)$/u.exec(tool) ?? []
  const path = programPath(plain)
  if (path === undefined) return undefined
  const { stdout } = await runFed(path, ['--version'], { input: '', seconds })
  const isThat = stdout.includes('(nf_tables)') === (variant === 'nft')
  return isThat ? programPath(plain + suffix) : undefined
}

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

/** The bridge, which may be yet to come. */
export interface Subject {
  readonly name: string
  /** The families of which it shows its frames to the firewall of itself. */
  readonly filtered: readonly Family[]
}

/** Throws where nft or iptables does not list what it has. */
async function readFirewall(bridge: Subject): Promise<Firewall> {
  const [ruleset, firewalld] = await Promise.all([listRuleset(), readFirewalld()])
  const listings = await listAll(ruleset)
  return {
    problem: undefined,
    bridged: [...new Set([...bridgedFamilies(), ...bridge.filtered])].sort((a, b) => a - b),
    closed: listings.flatMap(closedChains),
    rules: listings.flatMap(({ tool, chains }) => ownRules(tool, chains, bridge.name)),
    firewalld,
    guarded: guardedLink(ruleset, bridge.name),
  }
}

function guardedLink({ tables, chains }: Ruleset, bridge: string): string | undefined {
  const own = ['bridge', 'netdev'].map((family) => `${family} ${guardTable(bridge)}`)
  if (!own.some((table) => tables.includes(table))) return undefined
  const [[bridged] = [], [dropped] = []] = own.map((table) =>
    chains.filter((chain) => chain.table === table).flatMap(({ rules }) => rules),
  )
  // Of a link that is gone there is only a number.
  const link = /^oif "([^"]*)" /u.exec(dropped?.text ?? '')?.[1]
  return bridged === undefined ? '' : (link ?? '')
}

/** The same where not all can be listed. */
async function guardedAlone(bridge: string): Promise<string | undefined> {
  if (!hasNft()) return undefined
  const listed = await Promise.all(
    ['bridge', 'netdev'].map((family) => nft(['-s', '-a', 'list', 'table', family, guardTable(bridge)])),
  )
  return guardedLink(parseRuleset(listed.map(({ stdout }) => stdout).join('')), bridge)
}

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

/** Whom it lets through is for its zones to say (firewalld.ts). */
const firewalldTable = 'inet firewalld'

async function listRuleset(): Promise<Ruleset> {
  if (!hasNft()) return { tables: [], chains: [], sets: [] }
  const { ok, stdout, message } = await nft(['-s', '-a', 'list', 'ruleset'])
  if (!ok) throw new Error(`nft: ${message}`)
  const { tables, chains, sets } = parseRuleset(stdout)
  const isOther = ({ table }: { readonly table: string }): boolean =>
    table !== `inet ${tableName}` && table !== firewalldTable
  return { tables, chains: chains.filter(isOther), sets: sets.filter(isOther) }
}

async function listAll({ chains }: Ruleset): Promise<readonly Listing[]> {
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
  (readSwitch(`/proc/net/${family === 4 ? 'ip' : 'ip6'}_tables_names`) ?? '')
    .split('\n')
    .filter((name) => name !== '')
    .sort()

/** Chains in which Docker leaves what it finds, and which it asks first. */
const dockerUser = 'DOCKER-USER'

function closedChains({ tool, families, chains }: Listing): readonly FirewallChain[] {
  return chains.flatMap((chain) => {
    const { hook } = chain
    const closed = closedBy(chain, chains)
    if ((hook !== 'forward' && hook !== 'input') || closed === undefined) return []
    const docker = chains.find(({ name }) => name === dockerUser)
    const isDockers = hook === 'forward' && docker !== undefined && leadsTo(dockerUser, chain, chains)
    const place = isDockers ? docker : chain
    const by = isDockers ? docker.rules.find(({ always }) => always !== undefined) : closed.by
    const at = by === undefined ? undefined : (by.handle ?? place.rules.indexOf(by) + 1)
    const name = tool === 'nft' ? `${place.table} ${place.name}` : place.name
    return [{ tool, name, hook, families, before: at }]
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
export async function loadRules(
  tool: string,
  lines: readonly string[],
  onSpawn: (child: ProcessId) => void,
): Promise<FedResult> {
  if (tool === 'nft') {
    const input = `${(await withHandlesOfNow(lines)).join('\n')}\n`
    return nft(['-f', '-'], { input, onSpawn })
  }
  const path = await toolPath(tool, '-restore')
  if (path === undefined) throw refusal(`${tool}-restore cannot be run`, 'install iptables')
  const input = ['*filter', ...lines, 'COMMIT', ''].join('\n')
  return runFed(path, ['-w', '5', '--noflush'], { input, seconds, onSpawn })
}

/** What goes is told by its comment: where somebody loaded his rules anew, a handle may be that of another rule, and ours gone. */
async function withHandlesOfNow(lines: readonly string[]): Promise<readonly string[]> {
  const deletion = /^delete rule (\S+ \S+) (\S+) handle \d+ # (".*")$/u
  if (!lines.some((line) => deletion.test(line))) return lines
  const { chains } = await listRuleset()
  return lines.flatMap((line) => {
    const [, table, name, comment] = deletion.exec(line) ?? []
    if (comment === undefined) return [line]
    const chain = chains.find((each) => each.table === table && each.name === name)
    const rule = chain?.rules.find(({ text }) => text.includes(comment))
    return rule === undefined ? [] : [`delete rule ${table ?? ''} ${name ?? ''} handle ${rule.handle ?? 0}`]
  })
}

/** How often is asked that does not answer: somebody may hold its lock, or write its rules anew. */
const asks = 3

/** A firewall that cannot be read is no reason to leave the network half-way: that is decided by who compares. */
export async function lookAtFirewall(bridge: Subject): Promise<Firewall> {
  let problem = ''
  for (let i = 0; i < asks; i += 1) {
    try {
      return await readFirewall(bridge)
    } catch (error) {
      problem = messageOf(error)
      await sleep(200)
    }
  }
  const guarded = await guardedAlone(bridge.name)
  return { problem, bridged: [], closed: [], rules: [], firewalld: undefined, guarded }
}
