import { CommandError } from '../errors.ts'
import { answeringGateways, silentGateways } from '../kernel/gateway.ts'
import type { Sides } from '../plan/footprint.ts'
import type { NetworkState } from '../state.ts'

interface GatewayCheck {
  readonly goal: NetworkState
  readonly sides: Sides
  /** How long the gateways have after the switch; 0 turns the check off. */
  readonly seconds: number
  readonly signal: AbortSignal
}

/**
 * Asks the default gateways of the goal on the uplink, before the change, and returns the check for after the
 * switch: it throws when one that answered answers no longer. One that did not is not held against the change.
 */
export async function prepareGatewayCheck(options: GatewayCheck): Promise<() => Promise<void>> {
  const { goal, sides, seconds, signal } = options
  if (seconds === 0) return () => Promise.resolve()
  const gateways = await answeringGateways(sides.uplink, gatewaysOf(goal, sides.bridge), signal)
  return async () => {
    if (gateways.length === 0) return
    const silent = await silentGateways(sides.bridge, gateways, { milliseconds: seconds * 1000, signal })
    if (silent.length === 0 || signal.aborted) return
    throw new CommandError('failed', `the gateway ${silent.join(', ')} does not answer on ${sides.bridge}`)
  }
}

function gatewaysOf(goal: NetworkState, dev: string): readonly string[] {
  const hops = goal.routes.filter(({ dst }) => dst === 'default').flatMap((route) => route.hops)
  return [
    ...new Set(hops.flatMap((hop) => (hop.dev === dev && hop.gateway !== undefined ? [hop.gateway] : []))),
  ]
}
