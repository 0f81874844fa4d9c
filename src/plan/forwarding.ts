import type { Family } from '../names.ts'
import { sysctlOf, type NetworkState, type Routing, type Sysctl } from '../state.ts'
import type { Step } from '../step.ts'
import type { Difference } from './compare.ts'

/**
 * Forwarding is one switch for all links: a write to `all` sets that of every link, and of those to come (`default`).
 * IPv4's sets whether redirects are accepted, too (inet_forward_change()); on a link that forwards, IPv6 takes a router's advertisements
 * only with accept_ra=2, and forgets its default routes otherwise (rt6_purge_dflt_routers()).
 */

type Forwarding = Routing['forwarding']

const switchOf = (family: Family): Omit<Sysctl, 'value'> => ({ family, dev: 'all', key: 'forwarding' })

const stateOf = (forwarding: Forwarding, family: Family): string | undefined =>
  sysctlOf({ sysctls: forwarding }, switchOf(family))

/** Settings under conf/LINK that a write to the switch sets, or that are set because of it. */
const followers = new Set(['forwarding', 'accept_ra'])

type Settings = Pick<NetworkState, 'sysctls'>

/**
 * Settings of links as they were then; but where forwarding was switched since, for all links at once, those that go with it are as they are
 * now. A link that is not there now gets what such a link would have.
 */
export function sinceSwitched(
  items: readonly Sysctl[],
  { then, now }: { then: Settings; now: Settings },
): readonly Sysctl[] {
  return items.map((item) => {
    const [was, is] = [then, now].map((state) => sysctlOf(state, switchOf(item.family)))
    if (!followers.has(item.key) || was === is) return item
    const value = sysctlOf(now, item) ?? valueOfNew(item, now)
    return { ...item, value }
  })
}

function valueOfNew(item: Sysctl, now: Settings): string {
  if (item.key === 'forwarding') return sysctlOf(now, { ...item, dev: 'default' }) ?? item.value
  return item.value === '1' && sysctlOf(now, switchOf(6)) === '1' ? '2' : item.value
}

const isOn = (forwarding: Forwarding, family: Family): boolean => stateOf(forwarding, family) === '1'

/** What is, with these families forwarded, and in any case by that bridge. */
export const forwardingFor = (
  families: readonly Family[],
  { bridge, now }: { bridge: string; now: Forwarding },
): Forwarding => {
  const coming = families.filter((family) => !isOn(now, family))
  return now.map((item) => {
    const isOfBridge = item.dev === bridge && item.key === 'forwarding' && families.includes(item.family)
    if (isOfBridge) return { ...item, value: '1' }
    if (!coming.includes(item.family)) return item
    if (item.key === 'forwarding') return { ...item, value: '1' }
    if (item.key === 'accept_redirects') return { ...item, value: '0' }
    return hearsRouters(item, now) ? { ...item, value: '2' } : item
  })
}

const hearsRouters = ({ key, dev, value }: Sysctl, now: Forwarding): boolean =>
  key === 'accept_ra' &&
  dev !== 'lo' &&
  value === '1' &&
  sysctlOf({ sysctls: now }, { family: 6, dev, key: 'forwarding' }) === '0'

/**
 * What is, with the families that we turned on as they were before, but for those that others still need. Links that came since
 * forward as new ones did.
 */
export function forwardingWithout(
  before: Forwarding,
  now: Forwarding,
  needed: readonly Family[],
): Forwarding {
  return now.map((item) => {
    if (needed.includes(item.family)) return item
    const own = sysctlOf({ sysctls: before }, item)
    const ofNew =
      item.key === 'forwarding' ? sysctlOf({ sysctls: before }, { ...item, dev: 'default' }) : undefined
    return { ...item, value: own ?? ofNew ?? item.value }
  })
}

/** To settings that are not told there are no steps. What a write to the switch does is foreseen; what is left after it is written link by link. */
export function convergeForwarding(from: Forwarding, to: Forwarding): readonly Step[] {
  const families = ([4, 6] as const).filter((family) => {
    const value = stateOf(to, family)
    return value !== undefined && value !== stateOf(from, family)
  })
  const heard = to.filter(({ key, value }) => key === 'accept_ra' && value === '2')
  const early = changed(from, heard)
  const switched = afterSwitch(withValues(from, early), families, to)
  const writes = [
    ...early,
    ...families.map((family) => ({ ...switchOf(family), value: isOn(to, family) ? '1' : '0' })),
    ...changed(switched, to).sort(acceptRaLast),
  ]
  return writes.map((sysctl) => ({ op: 'sysctl.set', sysctl }))
}

/** A link that begins to forward makes the others forget their advertised default routes, too. */
const acceptRaLast = (a: Sysctl, b: Sysctl): number =>
  Number(a.key === 'accept_ra') - Number(b.key === 'accept_ra')

const changed = (from: Forwarding, to: Forwarding): Sysctl[] =>
  to.filter((item) => {
    const value = sysctlOf({ sysctls: from }, item)
    return value !== undefined && value !== item.value
  })

const withValues = (from: Forwarding, items: Forwarding): Forwarding =>
  from.map((item) => ({ ...item, value: sysctlOf({ sysctls: items }, item) ?? item.value }))

function afterSwitch(from: Forwarding, families: readonly Family[], to: Forwarding): Forwarding {
  return from.map((item) => {
    if (!families.includes(item.family)) return item
    const value = isOn(to, item.family) ? '1' : '0'
    if (item.key === 'forwarding') return { ...item, value }
    return item.key === 'accept_redirects' ? { ...item, value: value === '1' ? '0' : '1' } : item
  })
}

/** Links come and go: only those of both are compared. Where a switch is not as it should be, it stands for them all. */
export function compareForwarding(actual: Forwarding, goal: Forwarding): readonly Difference[] {
  const differing = changed(actual, goal)
  const switched = differing.filter(({ dev, key }) => dev === 'all' && key === 'forwarding')
  const isTold = (item: Sysctl): boolean => switched.some(({ family }) => family === item.family)
  return [...switched, ...differing.filter((item) => !isTold(item))].map((item) => {
    const { family, dev, key, value } = item
    const is = sysctlOf({ sysctls: actual }, item) ?? 'none'
    return `different: net.ipv${family}.conf.${dev}.${key} is ${is}, should be ${value}`
  })
}

/** Settings of a link that go with forwarding are as forwarding has them. */
export const withForwarding = (sysctls: readonly Sysctl[], forwarding: Forwarding): readonly Sysctl[] =>
  sysctls.map((item) => ({ ...item, value: sysctlOf({ sysctls: forwarding }, item) ?? item.value }))
