import { CommandError, messageOf } from '../errors.ts'
import type { Family } from '../names.ts'
import { findLink, type Link, type NetworkState, type Route, type Routing } from '../state.ts'
import { bootSeconds } from './clock.ts'
import { dnsmasqOf } from './dnsmasq.ts'
import { withPortEntries } from './bridge.ts'
import { lookAtFirewall } from './firewall.ts'
import { ipBatch } from './ip.ts'
import { parseAddress, parseLink, parseNeighbour, parseNexthop, parseRoute } from './parse.ts'
import { listChains } from './nft.ts'
import { parseRule } from './parse-rule.ts'
import { mayChangeNetwork } from './privilege.ts'
import { parseAll } from './read.ts'
import {
  linkSchema,
  neighbourSchema,
  nexthopSchema,
  routeSchema,
  ruleSchema,
  type RawRoute,
} from './schema.ts'
import { readForwarding, readSysctls } from './sysctl.ts'

const seconds = 10

/** How often is looked again when the network changes while it is looked at. */
const looks = 5

/**
 * The network of this namespace; settings under /proc/sys of the named links only, in that order. It is read in
 * several looks: where somebody changes it meanwhile, until they fit.
 */
export async function observe(sysctlsOf: readonly string[]): Promise<NetworkState> {
  let state = await look(sysctlsOf)
  for (let i = 1; i < looks && !isWhole(state); i += 1) state = await look(sysctlsOf)
  return state
}

/** The kernel's route of an IPv4 address comes and goes with it (fib_sync_down_addr()). */
function isWhole({ routes, addresses }: NetworkState): boolean {
  const locals = new Set(addresses.map(({ local }) => local))
  return routes.every(
    ({ family, protocol, source }) =>
      family === 6 || protocol !== 'kernel' || source === undefined || locals.has(source),
  )
}

async function look(sysctlsOf: readonly string[]): Promise<NetworkState> {
  const [general, ipv4, ipv6] = await Promise.all([
    show([], ['addr show', 'nexthop show', 'neigh show nud permanent', 'neigh show proxy']),
    showFamily(4),
    showFamily(6),
  ])
  const now = bootSeconds()
  const links = parseAll(linkSchema, general[0])
  const ipv6Nexthops = new Set(parseAll(nexthopSchema, ipv6.nexthops).map(({ id }) => id))
  return {
    links: await withPortEntries(links.map(parseLink)),
    addresses: links.flatMap((link) =>
      link.addr_info.flatMap((raw) => ('prefixlen' in raw ? [parseAddress(raw, link.ifname, now)] : [])),
    ),
    routes: [...(await routesOf(4, ipv4.routes)), ...(await routesOf(6, ipv6.routes))],
    rules: [
      ...parseAll(ruleSchema, ipv4.rules).map((raw) => parseRule(raw, 4)),
      ...parseAll(ruleSchema, ipv6.rules).map((raw) => parseRule(raw, 6)),
    ],
    nexthops: parseAll(nexthopSchema, general[1]).map((raw) => parseNexthop(raw, ipv6Nexthops.has(raw.id))),
    neighbours: [...parseAll(neighbourSchema, general[2]), ...parseAll(neighbourSchema, general[3])].map(
      parseNeighbour,
    ),
    sysctls: sysctlsOf.flatMap(readSysctls),
    routing: undefined,
    dnsmasq: undefined,
    firewall: undefined,
    clients: undefined,
    manager: undefined,
    networkd: undefined,
    resolved: undefined,
    resolvconf: undefined,
  }
}

/** The same, with what the host's firewall has for the guests of the bridge: that takes a moment where it has many rules. */
export async function withFirewall(state: NetworkState, bridge: string): Promise<NetworkState> {
  if (!mayChangeNetwork()) return state
  const filtered = findLink(state, bridge)?.filtered ?? []
  return { ...state, firewall: await lookAtFirewall({ name: bridge, filtered }) }
}

/** The same, with what a bridge without an uplink has for its guests. */
export async function observeOwn(bridge: string, sysctlsOf: readonly string[]): Promise<NetworkState> {
  const [state, seen] = await Promise.all([observe(sysctlsOf), mayChangeNetwork() ? lookAtChains() : unseen])
  const forwarding = readForwarding(state.links.map(({ name }) => name))
  return { ...state, routing: { ...seen, forwarding }, dnsmasq: dnsmasqOf(bridge) }
}

type Chains = Pick<Routing, 'chains' | 'problem'>

const unseen: Chains = { chains: undefined, problem: undefined }

/** A firewall that cannot be read is no reason to leave the network half-way: that is decided by who compares. */
async function lookAtChains(): Promise<Chains> {
  try {
    return { chains: await listChains(), problem: undefined }
  } catch (error) {
    return { chains: undefined, problem: messageOf(error) }
  }
}

/** The links alone: what the hooks need. */
export async function showLinks(): Promise<readonly Link[]> {
  const [links] = await show([], ['link show'])
  return parseAll(linkSchema, links).map(parseLink)
}

/**
 * Whether the kernel has acted on the carrier of these links. It does so up to a second later (net/core/link_watch.c), and routes
 * and next-hop objects go only then: until it has, `ip` shows the one without the other.
 */
export async function isCarrierTold(names: readonly string[]): Promise<boolean> {
  const [links] = await show([], ['link show'])
  return parseAll(linkSchema, links).every(({ ifname, flags }) => {
    const hasCarrier = flags.includes('LOWER_UP')
    return !names.includes(ifname) || !flags.includes('UP') || hasCarrier !== flags.includes('NO-CARRIER')
  })
}

async function showFamily(family: Family): Promise<{ routes: unknown; rules: unknown; nexthops: unknown }> {
  const [routes, rules, nexthops] = await show(
    [`-${family}`],
    ['route show table all', 'rule show', 'nexthop show'],
  )
  return { routes, rules, nexthops }
}

/** One JSON document a line: `ip -j` prints each command's answer so. */
async function show(args: readonly string[], lines: readonly string[]): Promise<readonly unknown[]> {
  const result = await ipBatch([...args, '-d', '-j'], { lines, seconds })
  if (!result.ok) throw new CommandError('failed', `cannot read the network: ${result.message}`)
  const documents = result.stdout.split('\n').filter((line) => line.startsWith('['))
  return documents.map((line) => JSON.parse(line) as unknown)
}

async function routesOf(family: Family, raw: unknown, attempts = 20): Promise<readonly Route[]> {
  if (attempts === 0)
    throw new CommandError('failed', 'the routes change as fast as they are read', { hint: 'try again' })
  const routes = parseAll(routeSchema, raw)
  const locks = routes.some((route) => route.metrics.length > 0) ? await metricLocks(family, routes) : []
  // The kernel changed something between the two looks, as it does for a moment after a switch.
  if (locks === undefined) return routesOf(family, (await showFamily(family)).routes, attempts - 1)
  const now = bootSeconds()
  return routes.map((route, index) => parseRoute(route, family, { now, locked: locks[index] ?? [] }))
}

/** The JSON leaves out that a metric is locked (`mtu lock 1400`); the text says so, route by route. */
async function metricLocks(
  family: Family,
  routes: readonly RawRoute[],
): Promise<(readonly string[])[] | undefined> {
  const result = await ipBatch([`-${family}`, '-o'], { lines: ['route show table all'], seconds })
  const lines = result.stdout.split('\n').filter((line) => line !== '')
  if (!result.ok || lines.length !== routes.length) return undefined
  return lines.map((line) => [...line.matchAll(/(\w+) lock /g)].flatMap((match) => match[1] ?? []))
}
