import { findLink, type Neighbour, type NetworkState, type Nexthop, type Rule } from '../state.ts'
import type { Step } from '../step.ts'
import type { Share } from './converge.ts'
import { devsOf, objectsOn, ruleNames, type Sides } from './footprint.ts'

export const nexthopId = (nexthop: Nexthop): string =>
  JSON.stringify([nexthop.id, nexthop.dev, nexthop.group, nexthop.words])

/** `first` is replaced in place; `then` is new, and needs routes to its gateway. */
interface NexthopShare extends Share {
  readonly then: readonly Step[]
}

/** Objects are replaced in place, so that the routes and groups that use them never miss them. */
export function convergeNexthops(from: NetworkState, to: NetworkState, sides: Sides): NexthopShare {
  const devs = devsOf(sides)
  const ours = new Set([...objectsOn(from.nexthops, devs), ...objectsOn(to.nexthops, devs)])
  const present = new Set(from.nexthops.map(nexthopId))
  const old = new Set(from.nexthops.map(({ id }) => id))
  const ids = new Set(to.nexthops.map(({ id }) => id))
  const missing = to.nexthops.filter((nexthop) => ours.has(nexthop.id) && !present.has(nexthopId(nexthop)))
  const singlesFirst = [...missing].sort((a, b) => Number(a.group.length > 0) - Number(b.group.length > 0))
  const isInPlace = ({ id, group }: Nexthop): boolean =>
    old.has(id) && group.every((member) => old.has(member.id))
  const replace = (nexthop: Nexthop): Step => ({ op: 'nexthop.replace', nexthop })
  return {
    first: singlesFirst.filter(isInPlace).map(replace),
    then: singlesFirst.filter((nexthop) => !isInPlace(nexthop)).map(replace),
    last: from.nexthops
      .filter(({ id }) => ours.has(id) && !ids.has(id))
      .map((nexthop) => ({ op: 'nexthop.del', nexthop })),
  }
}

export const ruleId = (rule: Rule): string =>
  JSON.stringify([rule.family, rule.priority, rule.iif, rule.oif, rule.words])

/**
 * A new rule goes behind the others of its priority. Where that is not its place, or where a deletion would hit
 * another rule, the rules of that priority are made anew, in one go.
 */
export function convergeRules(from: NetworkState, to: NetworkState, sides: Sides): Share {
  const devs = devsOf(sides)
  const priorities = new Set(
    [...from.rules, ...to.rules]
      .filter((rule) => ruleNames(rule, devs))
      .map((rule) => `${rule.family} ${rule.priority}`),
  )
  const shares = [...priorities].map((key) => {
    const of = (state: NetworkState): readonly Rule[] =>
      state.rules.filter((rule) => `${rule.family} ${rule.priority}` === key)
    return orderRules(of(from), of(to))
  })
  return {
    first: shares.flatMap(({ first }) => first),
    last: shares.flatMap(({ last }) => last),
  }
}

function orderRules(now: readonly Rule[], goal: readonly Rule[]): Share {
  const ids = now.map(ruleId)
  const wanted = goal.map(ruleId)
  const coming = goal.filter((rule) => !ids.includes(ruleId(rule)))
  const leaving = now.filter((rule) => !wanted.includes(ruleId(rule)))
  const result = [...now, ...coming].filter((rule) => !leaving.includes(rule)).map(ruleId)
  const steps = (op: 'rule.add' | 'rule.del', rules: readonly Rule[]): readonly Step[] =>
    rules.map((rule) => ({ op, rule }))
  if (result.join() === wanted.join() && leaving.every((rule) => isFirstMatch(rule, now)))
    return { first: steps('rule.add', coming), last: steps('rule.del', leaving) }
  // From the head of the list, each deletion hits the very rule that it names.
  return { first: [...steps('rule.del', now), ...steps('rule.add', goal)], last: [] }
}

/** A deletion hits the first rule that has all it names, and maybe more (fib_nl_delrule()). */
function isFirstMatch(rule: Rule, rules: readonly Rule[]): boolean {
  const has = (other: Rule): boolean =>
    (rule.iif === undefined || rule.iif === other.iif) &&
    (rule.oif === undefined || rule.oif === other.oif) &&
    rule.words.every((word) => other.words.includes(word))
  return rules.find(has) === rule
}

export const neighbourId = (item: Neighbour): string =>
  JSON.stringify([item.family, item.dev, item.dst, item.mac, item.proxy, item.router])

const keyOf = ({ dev, dst, proxy }: Neighbour): string => `${dev} ${dst} ${String(proxy)}`

/** A link whose MAC changes loses them all, the permanent ones too (arp_netdev_event(), ndisc_netdev_event()). */
export function convergeNeighbours(from: NetworkState, to: NetworkState, sides: Sides): Share {
  const devs = devsOf(sides)
  const of = (state: NetworkState): readonly Neighbour[] =>
    state.neighbours.filter(({ dev }) => devs.includes(dev))
  const present = new Set(
    of(from)
      .filter(({ dev }) => findLink(from, dev)?.mac === findLink(to, dev)?.mac)
      .map(neighbourId),
  )
  const wanted = new Set(of(to).map(keyOf))
  return {
    first: of(to)
      .filter((item) => !present.has(neighbourId(item)))
      .map((neighbour) => ({ op: 'neigh.replace', neighbour })),
    last: of(from)
      .filter((item) => !wanted.has(keyOf(item)))
      .map((neighbour) => ({ op: 'neigh.del', neighbour })),
  }
}
