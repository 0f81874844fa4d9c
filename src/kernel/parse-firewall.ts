/** What nft and iptables list -> chains and their rules. Pure. */

interface ListedRule {
  /** In the words of its tool. */
  readonly text: string
  /** By which nft knows it. */
  readonly handle: number | undefined
  /** What it does with every packet; `undefined` where that depends. */
  readonly always: Verdict | undefined
}

type Verdict =
  { readonly kind: 'accept' | 'drop' | 'return' } | { readonly kind: 'jump' | 'goto'; readonly chain: string }

export interface ListedChain {
  /** `inet filter`; of iptables there is only `filter` here. */
  readonly table: string
  readonly name: string
  /** Of a base chain: `input`, `forward`, … */
  readonly hook: string | undefined
  readonly policy: string | undefined
  readonly rules: readonly ListedRule[]
}

export interface Ruleset {
  /** Also those without a chain. */
  readonly tables: readonly string[]
  readonly chains: readonly ListedChain[]
  /** Named sets and maps with their elements, as text. */
  readonly sets: readonly { readonly table: string; readonly name: string; readonly elements: string }[]
}

/** Of `nft -s -a list ruleset`. */
export function parseRuleset(listing: string): Ruleset {
  const tables = [...listing.matchAll(/^table (\S+ \S+) \{[^\n]*\n([^]*?)^\}$/gmu)]
  const blocks = tables.flatMap(([, table = '', body = '']) =>
    [...body.matchAll(/^\t(chain|set|map) (\S+) \{[^\n]*\n([^]*?)^\t\}$/gmu)].map(
      ([, kind = '', name = '', inner = '']) => ({ table, kind, name, inner }),
    ),
  )
  return {
    tables: tables.map(([, table = '']) => table),
    chains: blocks.filter(({ kind }) => kind === 'chain').map((block) => chainOf(block)),
    sets: blocks
      .filter(({ kind }) => kind !== 'chain')
      .map(({ table, name, inner }) => ({
        table,
        name,
        elements: /elements = \{([^]*)\}/u.exec(inner)?.[1] ?? '',
      })),
  }
}

function chainOf({ table, name, inner }: { table: string; name: string; inner: string }): ListedChain {
  const base = /^\t\ttype \S+ hook (\S+) [^\n]*?(?:policy (\w+);)?$/mu.exec(inner)
  const rules = [...inner.matchAll(/^\t\t(?!\t)((?:(?!# handle)[^])*?) # handle (\d+)$/gmu)]
  return {
    table,
    name,
    hook: base?.[1],
    policy: base?.[2],
    rules: rules
      .map(([, text = '', handle]) => ({ text: withoutHead(text), handle: Number(handle) }))
      .map(({ text, handle }) => ({ text, handle, always: nftVerdict(text) })),
  }
}

/** The lines of a chain that are no rules have no handle, and so stand before its first one. */
const withoutHead = (text: string): string =>
  text
    .split('\n')
    .filter((line) => !/^\t*(?:type \S+ hook |comment ")/u.test(line))
    .map((line) => line.trim())
    .join(' ')

function nftVerdict(text: string): Verdict | undefined {
  const bare = text
    .replace(/ ?comment "[^"]*"/u, '')
    .replace(
      /\bcounter(?: packets \d+ bytes \d+)?|\blog(?: prefix "[^"]*")?(?: (?:level|group|flags) \S+)*/gu,
      '',
    )
    .trim()
  const [, conditions = '', ends] = /^(.*?) ?(drop|reject(?: with .+)?)?$/u.exec(bare) ?? []
  if (ends !== undefined) return isBroad(conditions, broadNft) ? { kind: 'drop' } : undefined
  if (bare === 'accept' || bare === 'return') return { kind: bare }
  const [, kind, chain] = /^(jump|goto) (\S+)$/u.exec(bare) ?? []
  return chain === undefined ? undefined : { kind: kind === 'jump' ? 'jump' : 'goto', chain }
}

const hooksByName: Readonly<Record<string, string>> = { INPUT: 'input', FORWARD: 'forward', OUTPUT: 'output' }

/** Of `iptables -S`, that is, of one table. */
export function parseIptables(listing: string): readonly ListedChain[] {
  const lines = listing.split('\n')
  const rules = new Map<string, ListedRule[]>()
  for (const line of lines) {
    const [, name, text] = /^-A (\S+) (.*)$/u.exec(line) ?? []
    if (name === undefined || text === undefined) continue
    const list = rules.get(name) ?? []
    list.push({ text, handle: undefined, always: iptablesVerdict(text) })
    rules.set(name, list)
  }
  return lines.flatMap((line) => {
    const [, , name, policy] = /^-(P|N) (\S+)(?: (\S+))?$/u.exec(line) ?? []
    if (name === undefined) return []
    const own = rules.get(name) ?? []
    return [{ table: 'filter', name, hook: hooksByName[name], policy: policy?.toLowerCase(), rules: own }]
  })
}

function iptablesVerdict(text: string): Verdict | undefined {
  const bare = text.replace(/-m comment --comment (?:"[^"]*"|\S+) ?/u, '').replace(/ --reject-with \S+$/u, '')
  const [, conditions = '', option, target] = /^(.*?) ?-([jg]) (\S+)$/u.exec(bare) ?? []
  const isDrop = target === 'DROP' || target === 'REJECT'
  if (conditions !== '' && !(isDrop && isBroad(conditions, broadIptables))) return undefined
  switch (target) {
    case undefined:
      return undefined
    case 'ACCEPT':
      return { kind: 'accept' }
    case 'RETURN':
      return { kind: 'return' }
    case 'DROP':
    case 'REJECT':
      return { kind: 'drop' }
    default:
      return { kind: option === 'g' ? 'goto' : 'jump', chain: target }
  }
}

/** Conditions that what guests send first fulfils, too, or may. */
const broadNft = [
  /\bct state (?:new|\{[^}]*\bnew\b[^}]*\}|!= \S+|[\w,]*\bnew\b[\w,]*)/gu,
  /\b[io]if(?:name)? != (?:"[^"]*"|\{[^}]*\})/gu,
  /\bmeta (?:nfproto|l4proto) (?:\{[^}]*\}|\S+)/gu,
]
const broadIptables = [
  /-m (?:conntrack|state) (?:! )?--(?:ct)?state \S*\bNEW\b\S*/gu,
  /-m (?:conntrack|state) ! --(?:ct)?state \S+/gu,
  /! -[io] \S+/gu,
  /-p \S+/gu,
]

const isBroad = (conditions: string, broad: readonly RegExp[]): boolean =>
  broad.reduce((rest, condition) => rest.replace(condition, ''), conditions).trim() === ''

export interface Closed {
  /** The first rule that ends all, or does so in a chain that it leads to; `undefined` where the policy does. */
  readonly by: ListedRule | undefined
}

/** Whether a base chain ends what none of its rules lets pass, and where; `undefined` where it does not. */
export function closedBy(chain: ListedChain, all: readonly ListedChain[]): Closed | undefined {
  const chains = new Map(all.map((each) => [`${each.table} ${each.name}`, each]))
  for (const rule of chain.rules) {
    const end = endOfRule(rule, chain, { chains, depth: 0 })
    if (end === 'drop' || (end === 'return' && chain.policy === 'drop')) return { by: rule }
    if (end !== undefined) return undefined
  }
  return chain.policy === 'drop' ? { by: undefined } : undefined
}

interface Search {
  readonly chains: ReadonlyMap<string, ListedChain>
  readonly depth: number
}

/** The kernel lets jumps go no deeper. */
const deepest = 16

type End = 'accept' | 'drop' | 'return' | undefined

/** `undefined`: the next rule has its turn. */
function endOfRule({ always }: ListedRule, { table }: ListedChain, search: Search): End {
  if (always === undefined) return undefined
  if (!('chain' in always)) return always.kind
  const target = search.chains.get(`${table} ${always.chain}`)
  const end = target === undefined || search.depth > deepest ? undefined : endOfChain(target, search)
  return end === undefined && always.kind === 'goto' ? 'return' : end
}

function endOfChain(chain: ListedChain, search: Search): Exclude<End, 'return'> {
  for (const rule of chain.rules) {
    const end = endOfRule(rule, chain, { ...search, depth: search.depth + 1 })
    if (end === 'return') return undefined
    if (end !== undefined) return end
  }
  return undefined
}

/** Whether a chain leads to another one in any case, before it ends anything. */
export function leadsTo(name: string, chain: ListedChain, all: readonly ListedChain[]): boolean {
  const closing = closedBy(chain, all)?.by
  const rules = closing === undefined ? chain.rules : chain.rules.slice(0, chain.rules.indexOf(closing))
  return rules.some(({ always }) => always !== undefined && 'chain' in always && always.chain === name)
}

/** The rules by which a link is told from others, each with where it stands; they say nothing of it once it is a port. */
export function rulesNaming(link: string, { chains, sets }: Ruleset): readonly string[] {
  const named = sets.filter(({ elements }) => namesLink(elements, link))
  return chains
    .filter(({ table }) => !/^(?:netdev|bridge|arp) /u.test(table))
    .flatMap(({ table, name, rules }) =>
      rules
        .filter(
          ({ text }) =>
            /\b[io]if(?:name)?\b/u.test(text) &&
            (namesLink(text.replace(/ ?comment "[^"]*"/u, ''), link) ||
              named.some((each) => each.table === table && text.split(' ').includes(`@${each.name}`))),
        )
        .map(({ text }) => `${table} ${name}: ${text}`),
    )
}

const namesLink = (text: string, link: string): boolean =>
  [...text.matchAll(/"([^"]*)"/gu)].some(([, name = '']) => {
    const prefix = /^(.*[^\\])?\*$/u.exec(name)
    return prefix === null ? name.replace('\\*', '*') === link : link.startsWith(prefix[1] ?? '')
  })

/** The same of `iptables-legacy -S`. */
export const iptablesRulesNaming = (link: string, chains: readonly ListedChain[]): readonly string[] =>
  chains.flatMap(({ name, rules }) =>
    rules
      .filter(({ text }) =>
        [...text.matchAll(/(?:^|\s)-[io] (\S+)/gu)].some(([, given = '']) =>
          given.endsWith('+') ? link.startsWith(given.slice(0, -1)) : given === link,
        ),
      )
      .map(({ text }) => `-A ${name} ${text}`),
  )
