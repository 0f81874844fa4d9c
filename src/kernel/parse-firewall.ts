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
  if (/^(?:drop|reject(?: with .+)?)$/u.test(bare)) return { kind: 'drop' }
  if (bare === 'accept' || bare === 'return') return { kind: bare }
  const [, kind, chain] = /^(jump|goto) (\S+)$/u.exec(bare) ?? []
  return chain === undefined ? undefined : { kind: kind === 'jump' ? 'jump' : 'goto', chain }
}

const hooksByName: Readonly<Record<string, string>> = { INPUT: 'input', FORWARD: 'forward', OUTPUT: 'output' }

/** Of `iptables -S`, that is, of the table `filter`. */
export function parseIptables(listing: string): readonly ListedChain[] {
  const lines = listing.split('\n')
  return lines.flatMap((line) => {
    const [, , name, policy] = /^-(P|N) (\S+)(?: (\S+))?$/u.exec(line) ?? []
    if (name === undefined) return []
    const start = `-A ${name} `
    const texts = lines.filter((each) => each.startsWith(start)).map((each) => each.slice(start.length))
    const rules = texts.map((text) => ({ text, handle: undefined, always: iptablesVerdict(text) }))
    return [{ table: 'filter', name, hook: hooksByName[name], policy: policy?.toLowerCase(), rules }]
  })
}

function iptablesVerdict(text: string): Verdict | undefined {
  const bare = text.replace(/-m comment --comment (?:"[^"]*"|\S+) ?/u, '').replace(/ --reject-with \S+$/u, '')
  const [, option, target] = /^-([jg]) (\S+)$/u.exec(bare) ?? []
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

/** Whether a base chain ends what none of its rules lets pass. */
export const isClosed = (chain: ListedChain, all: readonly ListedChain[]): boolean =>
  (endOf(chain, all, 0) ?? chain.policy) === 'drop'

/** The kernel lets jumps go no deeper. */
const deepest = 16

function endOf(
  chain: ListedChain,
  all: readonly ListedChain[],
  depth: number,
): 'accept' | 'drop' | undefined {
  for (const { always } of chain.rules) {
    if (always === undefined) continue
    if (always.kind === 'return') return undefined
    if (always.kind === 'accept' || always.kind === 'drop') return always.kind
    const next = 'chain' in always ? always.chain : ''
    const target = all.find(({ table, name }) => table === chain.table && name === next)
    const end = target === undefined || depth > deepest ? undefined : endOf(target, all, depth + 1)
    if (end !== undefined) return end
    if (always.kind === 'goto') return undefined
  }
  return undefined
}

/** The rules by which a link is told from others, each with where it stands; they say nothing of it once it is a port. */
export function rulesNaming(link: string, { chains, sets }: Ruleset): readonly string[] {
  const named = sets.filter(({ elements }) => namesLink(elements, link))
  return chains
    .filter(({ table }) => !/^(?:netdev|bridge|arp) /u.test(table))
    .flatMap(({ table, name, rules }) =>
      rules
        .filter(({ text }) =>
          [...text.matchAll(/\b[io]if(?:name)? (?:!= |vmap )?(\{[^}]*\}|@\S+|\S+)/gu)].some(
            ([, match = '']) =>
              namesLink(match, link) ||
              named.some((each) => each.table === table && `@${each.name}` === match),
          ),
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
