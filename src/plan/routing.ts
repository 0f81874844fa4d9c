import type { Family } from '../names.ts'
import type { ChainSet, Routing } from '../state.ts'
import { isSameSet, loadText, removalText } from './chains.ts'
import type { Difference } from './compare.ts'
import type { Share } from './converge.ts'
import { nameOf, type Sides } from './footprint.ts'
import { compareForwarding, convergeForwarding, forwardingFor, forwardingWithout } from './forwarding.ts'

type Seen = Routing | undefined

export const chainsOf = (routing: Seen, bridge: string): ChainSet | undefined =>
  routing?.chains?.find((set) => set.bridge === bridge)

/** The bridge's chains, among those that the others have. */
const withChains = (routing: Routing, bridge: string, set: ChainSet | undefined): Routing => ({
  ...routing,
  chains: [
    ...(routing.chains ?? []).filter((other) => other.bridge !== bridge),
    ...(set === undefined ? [] : [set]),
  ],
})

interface RaisedOptions {
  readonly bridge: string
  readonly chains: ChainSet | undefined
  /** The families that are forwarded for its guests: where there are none, forwarding is as others have it. */
  readonly routed: readonly Family[]
}

export const raisedRouting = (now: Seen, { bridge, chains, routed }: RaisedOptions): Seen =>
  now === undefined
    ? undefined
    : {
        ...withChains(now, bridge, chains),
        forwarding: routed.length === 0 ? [] : forwardingFor(routed, { bridge, now: now.forwarding }),
      }

export interface Routed {
  /** Those that a bridge forwards. */
  readonly families: readonly Family[]
  /** As it was before the first bridge of ours, in the families that were not forwarded then. */
  readonly before: Routing['forwarding']
}

interface LoweredOptions {
  readonly bridge: string
  readonly routed: Routed | undefined
  /** The families that other bridges of ours forward. */
  readonly needed: readonly Family[]
}

export const loweredRouting = (now: Seen, { bridge, routed, needed }: LoweredOptions): Seen =>
  now === undefined
    ? undefined
    : {
        ...withChains(now, bridge, undefined),
        forwarding: routed === undefined ? [] : forwardingWithout(routed.before, now.forwarding, needed),
      }

/** The other bridges have what they have now. */
export const rebaseRouting = (goal: Seen, now: Seen, sides: Sides): Seen =>
  goal === undefined || now === undefined
    ? undefined
    : { ...withChains(now, nameOf(sides), chainsOf(goal, nameOf(sides))), forwarding: goal.forwarding }

/** Chains are there before their bridge is and before anything is forwarded, and until neither is any more. */
export function convergeRouting(from: Seen, to: Seen, sides: Sides): Share {
  const bridge = nameOf(sides)
  if (from === undefined || to === undefined) return { first: [], last: [] }
  const [before, after] = [chainsOf(from, bridge), chainsOf(to, bridge)]
  const forwarding = convergeForwarding(from.forwarding, to.forwarding)
  if (from.chains !== undefined && isSameSet(before, after)) return { first: forwarding, last: [] }
  if (after !== undefined)
    return { first: [{ op: 'nft.load', text: loadText(after) }, ...forwarding], last: [] }
  const isLast = to.chains?.length === 0
  return { first: forwarding, last: [{ op: 'nft.load', text: removalText(bridge, isLast) }] }
}

export function compareRouting(actual: Seen, goal: Seen, sides: Sides): readonly Difference[] {
  const bridge = nameOf(sides)
  if (actual === undefined || goal === undefined) return []
  return [
    ...(actual.problem === undefined ? [] : [`unknown: firewall chains of ${bridge}: ${actual.problem}`]),
    ...(actual.chains === undefined
      ? []
      : compareChains(chainsOf(actual, bridge), chainsOf(goal, bridge), bridge)),
    ...compareForwarding(actual.forwarding, goal.forwarding),
  ]
}

function compareChains(
  found: ChainSet | undefined,
  wanted: ChainSet | undefined,
  bridge: string,
): readonly Difference[] {
  if (isSameSet(found, wanted)) return []
  const what = `firewall chains of ${bridge}`
  if (found === undefined) return [`missing: ${what}`]
  return [wanted === undefined ? `too much: ${what}` : `different: ${what}`]
}
