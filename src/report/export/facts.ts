import type { Address, Route, Rule } from '../../state.ts'
import { leftOut, type Carried } from './exported.ts'
import { lastOf } from './numbers.ts'

/** Addresses, routes and rules as what is not usual about them, by the names of iproute2: each kind has words for some of it. */
export type Facts = ReadonlyMap<string, string>

type Entry = readonly [string, string | undefined]

const factsOf = (entries: readonly Entry[]): Facts =>
  new Map(entries.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])))

/** What a route has without being told. */
export const usualMetric = { 4: 0, 6: 1024 } as const

const usualScope = ({ type, hops }: Route): string =>
  ['local', 'nat'].includes(type)
    ? 'host'
    : hops.some(({ gateway }) => gateway !== undefined)
      ? 'global'
      : 'link'

const unless = (usual: string | number, value: string | number): string | undefined =>
  value === usual ? undefined : String(value)

/** With one next hop; several are `hops`. Without destination and metric. */
export function routeFacts(route: Route): Facts {
  const { family, type, table, from, tos, scope, source, realm, preference, hops } = route
  const [hop, ...others] = hops
  const single: readonly Entry[] = [
    ['gateway', hop?.gateway],
    ['via', hop?.viaFamily === undefined ? undefined : `inet${hop.viaFamily === 6 ? '6' : ''}`],
    ['onlink', hop?.onlink === true ? 'yes' : undefined],
  ]
  return factsOf([
    ...(others.length === 0 ? single : [['hops', String(hops.length)] as const]),
    ['type', unless('unicast', type)],
    ['table', unless('main', table)],
    ['scope', family === 4 ? unless(usualScope(route), scope) : undefined],
    ['from', from],
    ['tos', tos],
    ['src', source],
    ['realm', realm],
    ['pref', unless('medium', preference ?? 'medium')],
    ...route.metrics.flatMap(metricEntries),
  ])
}

const metricEntries = ([name = '', ...words]: readonly string[]): readonly Entry[] => [
  [name, words.at(-1)],
  [`${name} lock`, words[0] === 'lock' ? 'yes' : undefined],
]

const actions = new Set(['blackhole', 'unreachable', 'prohibit', 'nop'])

export function addressFacts(address: Address): Facts {
  const { peer, label, dev, scope, family, metric, preferredUntil } = address
  return factsOf([
    ['peer', peer],
    ['broadcast', broadcastOf(address)],
    ['label', label === dev ? undefined : label],
    ['scope', family === 4 ? unless('global', scope) : undefined],
    ['metric', metric === undefined ? undefined : String(metric)],
    ['preferred_lft', preferredUntil === undefined ? undefined : '0'],
    ...address.flags.map((flag) => [flag, 'yes'] as const),
  ])
}

/** `no` for none, where it is not the usual one. */
function broadcastOf({ family, local, peer, prefixLength, broadcast }: Address): string | undefined {
  if (family === 6 || (broadcast === undefined && (peer !== undefined || prefixLength > 30))) return undefined
  return broadcast === lastOf(local, prefixLength) ? undefined : (broadcast ?? 'no')
}

/** Without its priority. */
export function ruleFacts({ words, iif, oif }: Rule): Facts {
  const pairs: Entry[] = []
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i] ?? ''
    if (word === 'not') pairs.push(['not', 'yes'])
    else if (actions.has(word)) pairs.push(['type', word])
    else pairs.push([word, words[(i += 1)]])
  }
  return factsOf([['iif', iif], ['oif', oif], ...pairs.filter(([name]) => name !== 'protocol')])
}

/** Without them a route or a rule would mean something else. */
const essential = new Set(
  'peer type table from to tos via hops not iif oif fwmark uidrange ipproto sport dport goto'.split(' '),
)

/** What a kind says by a word of its own for each fact; an empty one says nothing. */
export type Keys = Readonly<Record<string, string>>

export const translated = (facts: Facts, keys: Keys): readonly (readonly [string, string])[] =>
  [...facts].map(([name, value]) => [keys[name] ?? '', value] as const).filter(([key]) => key !== '')

/** What a kind has no word for, and whether it may be written down without that. */
export function missingFacts(
  facts: Facts,
  keys: Keys,
): { readonly names: readonly string[]; readonly isVital: boolean } {
  const names = [...facts.keys()].filter((name) => !(name in keys))
  return { names, isVital: names.some((name) => essential.has(name)) }
}

/** What `write` makes of facts that a kind has words for: of a whole without the vital ones, nothing; of others, a note each. */
export function carriedFacts<T>(
  what: string,
  { facts, keys }: { readonly facts: Facts; readonly keys: Keys },
  write: (words: readonly (readonly [string, string])[]) => T | undefined,
): Carried<T> {
  const { names, isVital } = missingFacts(facts, keys)
  const written = isVital ? undefined : write(translated(facts, keys))
  if (written === undefined) return leftOut(`the ${what}`)
  return { words: [written], notes: leftOut(...names.map((name) => `${name} of the ${what}`)).notes }
}
