import { messageOf, refusal } from '../errors.ts'
import type { Family } from '../names.ts'
import type { Firewall, FirewallChain, FirewallRule } from '../firewall-state.ts'
import { sleep } from './clock.ts'
import { runFed, type FedResult } from './fed.ts'
import { readText } from './files.ts'
import { readFirewalld } from './firewalld.ts'
import { guardedAlone, guardedLink } from './lease-guard.ts'
import { nft } from './nft.ts'
import { closedBy, leadsTo, type ListedChain } from './parse-firewall.ts'
import type { ProcessId } from './process.ts'
import { listAll, listRuleset, programs, seconds, toolPath, type Listing } from './rulesets.ts'

/** The door to the host's own firewall: nft, and the iptables in which the host has rules already. It makes no table and no chain. */

/** The families whose bridged frames the kernel shows to the firewall, on every bridge. */
const bridgedFamilies = (): readonly Family[] =>
  ([4, 6] as const).filter(
    (family) => readText(`/proc/sys/net/bridge/bridge-nf-call-${programs[family]}`)?.trim() === '1',
  )

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
