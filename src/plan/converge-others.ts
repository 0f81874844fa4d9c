import type { Neighbour, NetworkState, Nexthop, Rule } from '../state.ts'
import type { Step } from '../step.ts'
import type { Share } from './converge.ts'
import { devsOf, objectsOn, ruleNames, type Sides } from './footprint.ts'

export const nexthopId = (nexthop: Nexthop): string =>
  JSON.stringify([nexthop.id, nexthop.dev, nexthop.group, nexthop.words])

/** Objects are replaced in place, so that the routes and groups that use them never miss them. */
export function convergeNexthops(from: NetworkState, to: NetworkState, sides: Sides): Share {
  const devs = devsOf(sides)
  const ours = new Set([...objectsOn(from.nexthops, devs), ...objectsOn(to.nexthops, devs)])
  const present = new Set(from.nexthops.map(nexthopId))
  const ids = new Set(to.nexthops.map(({ id }) => id))
  const missing = to.nexthops.filter((nexthop) => ours.has(nexthop.id) && !present.has(nexthopId(nexthop)))
  const singlesFirst = [...missing].sort((a, b) => Number(a.group.length > 0) - Number(b.group.length > 0))
  return {
    first: singlesFirst.map((nexthop) => ({ op: 'nexthop.replace', nexthop })),
    last: from.nexthops
      .filter(({ id }) => ours.has(id) && !ids.has(id))
      .map((nexthop) => ({ op: 'nexthop.del', nexthop })),
  }
}

export const ruleId = (rule: Rule): string =>
  JSON.stringify([rule.family, rule.priority, rule.iif, rule.oif, rule.words])

/**
 * A new rule goes behind the others of its priority. Where the goal has it before one that is there already, the
 * later one is taken out and put back behind it.
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
  let kept = 0
  for (const id of ids) if (id === wanted[kept]) kept += 1
  return {
    first: goal.slice(kept).flatMap((rule): readonly Step[] => {
      const add: Step = { op: 'rule.add', rule }
      return ids.includes(ruleId(rule)) ? [{ op: 'rule.del', rule }, add] : [add]
    }),
    last: now.filter((rule) => !wanted.includes(ruleId(rule))).map((rule) => ({ op: 'rule.del', rule })),
  }
}

export const neighbourId = (item: Neighbour): string =>
  JSON.stringify([item.family, item.dev, item.dst, item.mac, item.proxy, item.router])

const keyOf = ({ dev, dst, proxy }: Neighbour): string => `${dev} ${dst} ${String(proxy)}`

export function convergeNeighbours(from: NetworkState, to: NetworkState, sides: Sides): Share {
  const devs = devsOf(sides)
  const of = (state: NetworkState): readonly Neighbour[] =>
    state.neighbours.filter(({ dev }) => devs.includes(dev))
  const present = new Set(of(from).map(neighbourId))
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
