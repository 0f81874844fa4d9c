import type { Family } from '../names.ts'
import { loweredRouting, type Routed } from '../plan/routing.ts'
import { sysctlOf, type NetworkState, type Routing } from '../state.ts'
import { journalledBridges, readJournal, type Journal } from './journal.ts'

/** Forwarding is of the whole host: what a bridge may turn off depends on the others that are up. */

const othersRouted = (runDir: string, bridge: string): readonly Routed[] =>
  journalledBridges(runDir).flatMap((name) => {
    const sight = name === bridge ? undefined : readJournal(runDir, name)
    if (sight?.kind === 'usable') return sight.journal.routed ?? []
    // What cannot be read may need both families.
    return sight?.kind === 'unusable' && !sight.isForeign ? [{ families: [4, 6], before: [] }] : []
  })

/** What a new bridge's journal keeps: the settings as they were before the first one, whichever of them goes last. */
export function routedFor(
  families: readonly Family[],
  { runDir, bridge, now }: { runDir: string; bridge: string; now: Routing | undefined },
): Journal['routed'] {
  if (families.length === 0 || now === undefined) return undefined
  const others = othersRouted(runDir, bridge)
  const isOff = (family: Family): boolean =>
    sysctlOf({ sysctls: now.forwarding }, { family, dev: 'all', key: 'forwarding' }) === '0'
  const before = families.flatMap((family) => {
    const first = others.find((other) => other.families.includes(family))
    const settings = first?.before ?? (isOff(family) ? now.forwarding : [])
    return settings.filter((item) => item.family === family)
  })
  return { families: [...families], before }
}

/** The routing without a bridge, as the others need it. */
export const routingWithout = (
  runDir: string,
  { bridge, routed }: Pick<Journal, 'bridge' | 'routed'>,
  now: Routing | undefined,
): Routing | undefined =>
  loweredRouting(now, {
    bridge,
    routed,
    needed: othersRouted(runDir, bridge).flatMap(({ families }) => families),
  })

/** The routing to go back to. Nobody of us has changed it meanwhile, but on trial, which a bridge is only when it comes. */
export function routingBefore(
  { routing }: NetworkState,
  { runDir, journal, now }: { runDir: string; journal: Journal; now: NetworkState },
): Routing | undefined {
  if (journal.raised === undefined || routing === undefined)
    return routingWithout(runDir, journal, now.routing)
  return journal.routed === undefined ? { ...routing, forwarding: [] } : routing
}
