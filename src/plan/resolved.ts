import type { ResolvedLink } from '../owner-state.ts'
import { findLink, type NetworkState } from '../state.ts'
import type { Step } from '../step.ts'
import type { Difference } from './compare.ts'
import { devsOf, type Move, type Sides } from './footprint.ts'

/**
 * What systemd-resolved was told of the uplink, told of the bridge, and back. It asks the servers of a link only while that has carrier
 * and an address, so around the switch both links have them, and one of the two can be asked at any moment.
 */

type Resolved = NetworkState['resolved']
type Settings = ResolvedLink['settings']

const settingsOf = (resolved: Resolved, dev: string): Settings =>
  resolved?.find((link) => link.dev === dev)?.settings ?? {}

const isEmpty = (settings: Settings): boolean => Object.keys(settings).length === 0

const linksOf = (all: readonly ResolvedLink[]): readonly ResolvedLink[] =>
  all.filter(({ settings }) => !isEmpty(settings))

const isSame = (a: readonly string[] | undefined, b: readonly string[] | undefined): boolean =>
  JSON.stringify(a) === JSON.stringify(b)

const lists = new Set(['dns', 'domain', 'nta'])

/** A bridge that was there before keeps its own servers and domains, behind those that come. */
const joined = (coming: Settings, own: Settings): Settings => ({
  ...own,
  ...Object.fromEntries(
    Object.entries(coming).map(([key, values]) => [
      key,
      lists.has(key) ? [...new Set([...values, ...(own[key] ?? [])])] : values,
    ]),
  ),
})

/** As it is to be once the host is on the bridge. */
export const resolvedOnBridge = (resolved: Resolved, { uplink, bridge }: Move): Resolved =>
  resolved &&
  linksOf([{ dev: bridge, settings: joined(settingsOf(resolved, uplink), settingsOf(resolved, bridge)) }])

/** What was given another value, or has come. What is missing was lost. */
const changed = (then: Settings, now: Settings): Settings =>
  Object.fromEntries(Object.entries(now).filter(([key, values]) => !isSame(values, then[key])))

interface WayDown {
  readonly original: NetworkState
  readonly raised: NetworkState
  readonly now: NetworkState
  readonly sides: Sides
}

/** What it had been told before, and with it what has changed on the bridge since. */
export function resolvedBack({ original, raised, now, sides: { uplink, bridge } }: WayDown): Resolved {
  if (now.resolved === undefined || uplink === undefined) return original.resolved
  const [then, is] = [raised, now].map(({ resolved }) => settingsOf(resolved, bridge))
  return linksOf([
    { dev: uplink, settings: { ...settingsOf(original.resolved, uplink), ...changed(then ?? {}, is ?? {}) } },
    { dev: bridge, settings: settingsOf(original.resolved, bridge) },
  ])
}

/** What brup left, and with it what has changed on the bridge since; of what is on the uplink only what the bridge has not. */
export function resolvedKept(raised: NetworkState, now: NetworkState, { uplink, bridge }: Sides): Resolved {
  if (now.resolved === undefined || uplink === undefined) return raised.resolved
  const then = settingsOf(raised.resolved, bridge)
  const is = settingsOf(now.resolved, bridge)
  return linksOf([
    { dev: bridge, settings: { ...settingsOf(now.resolved, uplink), ...then, ...changed(then, is) } },
  ])
}

/** While the host is between its two sides, both have theirs; `coming` is the one that it goes to. */
export function readyResolved(
  from: Resolved,
  to: Resolved,
  { coming, leaving }: { readonly coming: string; readonly leaving: string },
): Resolved {
  if (from === undefined || to === undefined) return from
  return linksOf([
    { dev: leaving, settings: settingsOf(from, leaving) },
    { dev: coming, settings: settingsOf(to, coming) },
  ])
}

/** What comes is there before anything goes. Of a link that goes it forgets all by itself. */
export function convergeResolved(from: NetworkState, to: NetworkState, sides: Sides): readonly Step[] {
  if (from.resolved === undefined || to.resolved === undefined) return []
  const changes = devsOf(sides)
    .filter((dev) => findLink(to, dev) !== undefined)
    .map((dev) => ({ dev, was: settingsOf(from.resolved, dev), be: settingsOf(to.resolved, dev) }))
  return [
    ...changes.filter(({ be }) => !isEmpty(be)).flatMap(settingSteps),
    ...changes
      .filter(({ was, be }) => isEmpty(be) && !isEmpty(was))
      .map(({ dev }): Step => ({ op: 'dns.revert', dev })),
  ]
}

interface SettingChange {
  readonly dev: string
  readonly was: Settings
  readonly be: Settings
}

// The one that cannot be unset by itself (SetLinkDefaultRoute() takes a boolean).
const onlyReverted = 'default-route'

function settingSteps({ dev, was, be }: SettingChange): readonly Step[] {
  const isReverted = was[onlyReverted] !== undefined && be[onlyReverted] === undefined
  const start = isReverted ? {} : was
  const unset = Object.keys(start).filter((key) => be[key] === undefined)
  return [
    ...(isReverted ? [{ op: 'dns.revert', dev } as const] : []),
    ...Object.entries(changed(start, be)).map(([key, values]): Step => ({ op: 'dns.set', dev, key, values })),
    ...unset.map((key): Step => ({ op: 'dns.set', dev, key, values: [] })),
  ]
}

/** What a DHCP client tells systemd-resolved of its link, in place of what was there, is no difference. */
export function compareResolved(
  actual: NetworkState,
  goal: NetworkState,
  sides: Sides,
): readonly Difference[] {
  if (actual.resolved === undefined || goal.resolved === undefined) return []
  const isAsked = (dev: string): boolean =>
    goal.clients?.some((client) => client.dev === dev && client.ended !== true) === true
  return devsOf(sides)
    .filter((dev) => findLink(goal, dev) !== undefined)
    .flatMap((dev) => {
      const [is, be] = [actual, goal].map(({ resolved }) => settingsOf(resolved, dev))
      return compareSettings(dev, is ?? {}, be ?? {}).filter(
        (line) => !isAsked(dev) || line.startsWith('missing'),
      )
    })
}

function compareSettings(dev: string, is: Settings, be: Settings): readonly Difference[] {
  if (isEmpty(is) && isEmpty(be)) return []
  if (isEmpty(is)) return [`missing: DNS settings of ${dev}`]
  if (isEmpty(be)) return [`too much: DNS settings of ${dev}`]
  const keys = [...new Set([...Object.keys(be), ...Object.keys(is)])]
  return keys.flatMap((key) => {
    const [found, wanted] = [is[key], be[key]]
    if (isSame(found, wanted)) return []
    if (found === undefined) return [`missing: ${textOf(key, wanted)} of ${dev}`]
    if (wanted === undefined) return [`too much: ${textOf(key, found)} of ${dev}`]
    return [`different: ${textOf(key, found)} of ${dev}, should be ${wanted.join(' ')}`]
  })
}

const textOf = (key: string, values: readonly string[] = []): string =>
  `DNS setting ${[key, ...values].join(' ')}`
