import { CommandError } from '../errors.ts'
import { askGateways, silentGateways } from '../kernel/gateway.ts'
import type { Move } from '../plan/footprint.ts'
import type { NetworkState } from '../state.ts'

interface GatewayCheck {
  readonly goal: NetworkState
  readonly sides: Move
  /** How long the gateways have after the switch; 0 turns the check off. */
  readonly seconds: number
  readonly signal: AbortSignal
  readonly say: (line: string) => void
}

/** How long a gateway has, before the change, to show that it answers, in milliseconds: two questions. */
const firstPatience = 1500

/**
 * Asks the default gateways of the goal on the uplink, before the change, and returns the check for after the
 * switch: it throws when one that answered answers no longer. One that did not is told, and not held against it.
 */
export async function prepareGatewayCheck(options: GatewayCheck): Promise<() => Promise<void>> {
  const { goal, sides, seconds, signal, say } = options
  if (seconds === 0) return () => Promise.resolve()
  const gateways = defaultGateways(goal, sides.bridge)
  const before = await askGateways(sides.uplink, gateways, { milliseconds: firstPatience, signal })
  for (const address of signal.aborted ? [] : before.silent)
    say(`the gateway ${address} does not answer on ${sides.uplink} now; that is not held against the change`)
  return async () => {
    const patience = { milliseconds: seconds * 1000, signal }
    const silent = await silentGateways(sides.bridge, before.answering, patience)
    if (silent.length === 0 || signal.aborted) return
    throw new CommandError('failed', `the gateway ${silent.join(', ')} does not answer on ${sides.bridge}`)
  }
}

/**
 * Of both families and all tables, by next-hop objects and legs of multipath routes too. For one with a permanent entry
 * there is nothing to ask.
 */
function defaultGateways({ routes, neighbours }: NetworkState, dev: string): readonly string[] {
  const hops = routes.filter(({ dst }) => dst === 'default').flatMap((route) => route.hops)
  const gateways = hops.flatMap((hop) => (hop.dev === dev && hop.gateway !== undefined ? [hop.gateway] : []))
  const permanent = neighbours.filter((item) => item.dev === dev && !item.proxy).map(({ dst }) => dst)
  return [...new Set(gateways)].filter((gateway) => !permanent.includes(gateway))
}
