import type { Address, Hop, Neighbour, Nexthop, Route, Rule } from './state.ts'

/**
 * The state's parts in the words of iproute2. What could be either family is written out (`::/0`, not `default`):
 * the lines of a batch share its `-6`, and most do without.
 */

type AddressOp = 'addr.add' | 'addr.change' | 'addr.del'

/** What is left of a lifetime at `now`, at least one second: 0 would be refused. */
const left = (until: number | undefined, now: number): string =>
  until === undefined ? 'forever' : String(Math.max(1, Math.round(until - now)))

export function addressWords(address: Address, op: AddressOp, now: number): readonly string[] {
  const { local, peer, prefixLength } = address
  const where =
    peer === undefined
      ? [`${local}/${prefixLength}`, 'dev', address.dev]
      : [local, 'peer', `${peer}/${prefixLength}`, 'dev', address.dev]
  if (op === 'addr.del') return where
  const words = [...where, ...option('broadcast', address.broadcast), ...option('anycast', address.anycast)]
  if (address.family === 4) words.push('scope', address.scope, ...option('label', address.label))
  words.push(...option('metric', address.metric), ...option('proto', address.protocol), ...address.flags)
  if (address.validUntil !== undefined || op === 'addr.change' || address.preferredUntil !== undefined)
    words.push('valid_lft', left(address.validUntil, now), 'preferred_lft', preferred(address, now))
  return words
}

/** A deprecated address (preferred lifetime over) must stay so: 0 is a value of its own here. */
function preferred(address: Address, now: number): string {
  if (address.preferredUntil === undefined) return 'forever'
  const seconds = Math.round(address.preferredUntil - now)
  return String(Math.max(0, seconds))
}

/** `now` is `undefined` for a deletion, which matches on everything but the time left. */
export function routeWords(route: Route, now: number | undefined): readonly string[] {
  const words = [route.type, destination(route)]
  words.push(...option('from', route.from), ...option('tos', route.tos))
  words.push('table', route.table)
  // The siblings of an IPv6 multipath route may have other protocols than the one that is shown.
  if (now !== undefined || route.family === 4 || route.hops.length < 2) words.push('proto', route.protocol)
  if (route.family === 4) words.push('scope', route.scope)
  if (route.metric !== 0) words.push('metric', String(route.metric))
  words.push(...option('src', route.source), ...option('realm', route.realm))
  if (now !== undefined || route.family === 4) words.push(...route.metrics.flat())
  if (now !== undefined) {
    words.push(...option('pref', route.preference === 'medium' ? undefined : route.preference))
    if (route.expiresAt !== undefined) words.push('expires', left(route.expiresAt, now))
  }
  return [...words, ...hopsWords(route)]
}

const destination = (route: Route): string =>
  route.dst === 'default' ? (route.family === 4 ? '0.0.0.0/0' : '::/0') : route.dst

function hopsWords(route: Route): readonly string[] {
  if (route.nhid !== undefined) return ['nhid', String(route.nhid)]
  const [only, ...others] = route.hops
  if (only === undefined) return []
  if (others.length === 0) return hopWords(only)
  return route.hops.flatMap((hop) => ['nexthop', ...hopWords(hop), 'weight', String(hop.weight ?? 1)])
}

function hopWords(hop: Hop): readonly string[] {
  const words: string[] = []
  if (hop.gateway !== undefined) {
    words.push('via')
    if (hop.viaFamily !== undefined) words.push(hop.viaFamily === 4 ? 'inet' : 'inet6')
    words.push(hop.gateway)
  }
  words.push(...option('dev', hop.dev))
  if (hop.onlink) words.push('onlink')
  return words
}

export function ruleWords(rule: Rule): readonly string[] {
  const not = rule.words[0] === 'not' ? ['not'] : []
  const links = [...option('iif', rule.iif), ...option('oif', rule.oif)]
  return [...not, ...links, ...rule.words.slice(not.length), 'priority', String(rule.priority)]
}

export function nexthopWords(nexthop: Nexthop): readonly string[] {
  const group = nexthop.group.map(({ id, weight }) => `${id},${weight}`).join('/')
  return [
    'id',
    String(nexthop.id),
    ...option('group', group === '' ? undefined : group),
    ...viaFirst(nexthop),
  ]
}

function viaFirst(nexthop: Nexthop): readonly string[] {
  const via = nexthop.words[0] === 'via' ? nexthop.words.slice(0, 2) : []
  return [...via, ...option('dev', nexthop.dev), ...nexthop.words.slice(via.length)]
}

export function neighbourWords(neighbour: Neighbour, deletion: boolean): readonly string[] {
  const { dst, dev, mac } = neighbour
  if (neighbour.proxy) return ['proxy', dst, 'dev', dev]
  if (deletion) return [dst, 'dev', dev]
  const router = neighbour.router ? ['router'] : []
  return [dst, ...option('lladdr', mac), 'dev', dev, ...router, 'nud', 'permanent']
}

const option = (name: string, value: string | number | undefined): readonly string[] =>
  value === undefined ? [] : [name, String(value)]
