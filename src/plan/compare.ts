import { findLink, type Address, type Link, type NetworkState, type Route } from '../state.ts'
import { addressWords, nexthopWords, neighbourWords, routeWords, ruleWords } from '../words.ts'
import { isAdvertised, isUnneeded } from './advertised.ts'
import { addressId, addressTraits, isAdvertisedAddress, isTemporary, livesAsLong } from './addresses.ts'
import { neighbourId, nexthopId, ruleId } from './converge-others.ts'
import { asManaged, compareNetworkd } from './compare-networkd.ts'
import { compareClients } from './dhcp-clients.ts'
import { compareDnsmasq } from './dnsmasq.ts'
import { compareFirewall } from './firewall.ts'
import { compareManager } from './network-manager.ts'
import { devsOf, objectsOn, routeFilter, ruleNames, type Sides } from './footprint.ts'
import { entrySteps, flagSteps } from './ports.ts'
import { compareResolvconf } from './resolvconf.ts'
import { compareResolved } from './resolved.ts'
import { compareRouting } from './routing.ts'
import { isKernelsOwn, prefixRoutes, routeId, slotOf } from './routes.ts'
import { withoutNewLeases } from './told-client.ts'

/** One line that a user can read: `missing: route default via 192.168.1.1 dev eth0`. */
export type Difference = string

/** What on and about the two links is not as the goal has it. Empty: verified. */
export function compare(seen: NetworkState, goal: NetworkState, sides: Sides): readonly Difference[] {
  const devs = devsOf(sides)
  const actual = asManaged(withoutNewLeases(withoutNewlyAdvertised(seen, goal), goal), goal)
  return [
    ...compareLinks(actual, goal, sides),
    ...devs.flatMap((dev) =>
      ([4, 6] as const).flatMap((family) => compareAddresses(actual, goal, { dev, family })),
    ),
    ...compareRoutes(actual, goal, devs),
    ...compareOthers(actual, goal, devs),
    ...compareSysctls(actual, goal, devs),
    ...compareClients(actual, goal),
    ...compareManager(actual.manager, goal.manager, sides),
    ...compareNetworkd(actual, goal),
    ...compareResolved(actual, goal, sides),
    ...compareResolvconf(actual, goal, sides),
    ...compareDnsmasq(actual, goal, sides),
    ...compareRouting(actual.routing, goal.routing, sides),
    ...compareFirewall(actual.firewall, goal.firewall, sides),
  ]
}

/**
 * Less the addresses that the kernel has made from an advertisement since the goal was, with their prefix routes. A port gets no
 * advertisements: what is there was left over.
 */
function withoutNewlyAdvertised(actual: NetworkState, goal: NetworkState): NetworkState {
  const wanted = new Set(goal.addresses.map(addressId))
  const isNew = (address: Address): boolean =>
    isAdvertisedAddress(address) &&
    !wanted.has(addressId(address)) &&
    findLink(actual, address.dev)?.master === undefined
  const come = actual.addresses.filter(isNew)
  if (come.length === 0) return actual
  const expected = new Set(goal.routes.map(routeId))
  const made = new Set(come.flatMap(prefixRoutes).map(routeId))
  return {
    ...actual,
    addresses: actual.addresses.filter((address) => !come.includes(address)),
    routes: actual.routes.filter((route) => expected.has(routeId(route)) || !made.has(routeId(route))),
  }
}

function compareLinks(
  actual: NetworkState,
  goal: NetworkState,
  { uplink, bridge }: Sides,
): readonly Difference[] {
  const named = [uplink, bridge].flatMap((name) => compareLink(findLink(actual, name), findLink(goal, name)))
  const ports = goal.links.flatMap((wanted) => {
    const link = findLink(actual, wanted.name)
    const concerns = wanted.name !== uplink && (wanted.master === bridge || link?.master === bridge)
    return concerns && link !== undefined ? comparePort(link, wanted) : []
  })
  return [...named, ...ports]
}

/** How it is dealt with, where that is told. */
function comparePort(actual: Link, goal: Link): readonly Difference[] {
  const masters = compareTrait(actual, goal, 'master')
  if (masters.length > 0 || goal.port === undefined || actual.port === undefined) return masters
  const steps = [
    ...flagSteps(goal.name, actual.port, goal.port),
    ...entrySteps(goal.name, actual.port, goal.port),
  ]
  return steps.length === 0 ? [] : [`different: port ${goal.name} is not treated as it should be`]
}

function compareLink(actual: Link | undefined, goal: Link | undefined): readonly Difference[] {
  if (actual === undefined) return goal === undefined ? [] : [`missing: link ${goal.name}`]
  if (goal === undefined) return [`too much: link ${actual.name}`]
  return (['master', 'mtu', 'mac', 'up', 'alias', 'kind', 'stp'] as const).flatMap((key) =>
    compareTrait(actual, goal, key),
  )
}

const compareTrait = (
  actual: Link,
  goal: Link,
  key: Exclude<keyof Link, 'port' | 'filtered'>,
): readonly Difference[] =>
  (actual[key] ?? '') === (goal[key] ?? '')
    ? []
    : [`different: link ${actual.name} ${key} is ${show(actual[key])}, should be ${show(goal[key])}`]

const show = (value: string | number | boolean | undefined): string =>
  value === undefined || value === '' ? 'none' : String(value)

const addressText = (address: Address): string => `address ${addressWords(address, 'addr.del', 0).join(' ')}`

function compareAddresses(
  actual: NetworkState,
  goal: NetworkState,
  { dev, family }: { dev: string; family: 4 | 6 },
): readonly Difference[] {
  const of = (state: NetworkState): readonly Address[] =>
    state.addresses.filter((item) => item.dev === dev && item.family === family && !isTemporary(item))
  const missing = compareSets({ actual: of(actual), goal: of(goal), idOf: addressId, textOf: addressText })
  if (missing.length > 0) return missing
  const order = of(actual).map(addressId).join() === of(goal).map(addressId).join()
  const traits = of(goal).flatMap((wanted) => {
    const found = of(actual).find((item) => addressId(item) === addressId(wanted))
    return found === undefined ? [] : compareAddress(found, wanted)
  })
  return order ? traits : [...traits, `different: order of the IPv${family} addresses of ${dev}`]
}

function compareAddress(actual: Address, goal: Address): readonly Difference[] {
  const differences: Difference[] = []
  if (addressTraits(actual) !== addressTraits(goal))
    differences.push(
      `different: ${addressText(goal)} is ${addressTraits(actual)}, should be ${addressTraits(goal)}`,
    )
  const lives =
    livesAsLong(actual.validUntil, goal.validUntil) && livesAsLong(actual.preferredUntil, goal.preferredUntil)
  if (!lives) differences.push(`different: lifetime of ${addressText(goal)}`)
  if (actual.status.includes('dadfailed')) differences.push(`different: ${addressText(goal)} is a duplicate`)
  return differences
}

interface Sets<T> {
  readonly actual: readonly T[]
  readonly goal: readonly T[]
  readonly idOf: (item: T) => string
  readonly textOf: (item: T) => string
}

function compareSets<T>({ actual, goal, idOf, textOf }: Sets<T>): readonly Difference[] {
  const present = new Set(actual.map(idOf))
  const wanted = new Set(goal.map(idOf))
  return [
    ...goal.filter((item) => !present.has(idOf(item))).map((item) => `missing: ${textOf(item)}`),
    ...actual.filter((item) => !wanted.has(idOf(item))).map((item) => `too much: ${textOf(item)}`),
  ]
}

const routeText = (route: Route): string => `route ${routeWords(route, undefined).join(' ')}`

function compareRoutes(
  actual: NetworkState,
  goal: NetworkState,
  devs: readonly string[],
): readonly Difference[] {
  const isOurs = [routeFilter(actual, devs), routeFilter(goal, devs)]
  const of = (state: NetworkState): readonly Route[] =>
    state.routes.filter(
      (route) => !isKernelsOwn(route) && !isAdvertised(route) && !isUnneeded(route, actual.routes),
    )
  const touched = (state: NetworkState): readonly Route[] =>
    of(state).filter((route) => isOurs.some((is) => is(route)))
  const sets = compareSets({ actual: touched(actual), goal: touched(goal), idOf: routeId, textOf: routeText })
  if (sets.length > 0) return sets
  const slots = new Set(
    touched(goal)
      .filter(({ family }) => family === 4)
      .map(slotOf),
  )
  const order = (state: NetworkState, slot: string): string =>
    of(state)
      .filter((route) => slotOf(route) === slot)
      .map(routeId)
      .join()
  return [...slots].flatMap((slot) =>
    order(actual, slot) === order(goal, slot) ? [] : [`different: order of the routes ${slot}`],
  )
}

function compareOthers(
  actual: NetworkState,
  goal: NetworkState,
  devs: readonly string[],
): readonly Difference[] {
  const objects = new Set([...objectsOn(actual.nexthops, devs), ...objectsOn(goal.nexthops, devs)])
  const rules = (state: NetworkState): NetworkState['rules'] =>
    state.rules.filter((rule) => ruleNames(rule, devs))
  const nexthops = (state: NetworkState): NetworkState['nexthops'] =>
    state.nexthops.filter(({ id }) => objects.has(id))
  const neighbours = (state: NetworkState): NetworkState['neighbours'] =>
    state.neighbours.filter(({ dev }) => devs.includes(dev))
  return [
    ...compareSets({
      actual: rules(actual),
      goal: rules(goal),
      idOf: ruleId,
      textOf: (rule) => `IPv${rule.family} rule ${ruleWords(rule).join(' ')}`,
    }),
    ...compareSets({
      actual: nexthops(actual),
      goal: nexthops(goal),
      idOf: nexthopId,
      textOf: (nexthop) => `nexthop ${nexthopWords(nexthop).join(' ')}`,
    }),
    ...compareSets({
      actual: neighbours(actual),
      goal: neighbours(goal),
      idOf: neighbourId,
      textOf: (item) => `neighbour ${neighbourWords(item, true).join(' ')}`,
    }),
  ]
}

function compareSysctls(
  actual: NetworkState,
  goal: NetworkState,
  devs: readonly string[],
): readonly Difference[] {
  const textOf = ({ family, dev, key, value }: NetworkState['sysctls'][number]): string =>
    `net.ipv${family}.conf.${dev}.${key} = ${value}`
  const found = new Map(actual.sysctls.map((item) => [textOf({ ...item, value: '' }), item.value]))
  return goal.sysctls
    .filter((item) => devs.includes(item.dev))
    .flatMap((item) => {
      const value = found.get(textOf({ ...item, value: '' }))
      return value === item.value ? [] : [`different: ${textOf(item)} is ${show(value)}`]
    })
}
