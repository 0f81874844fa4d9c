import { tapHolders } from '../kernel/process.ts'
import type { Sides } from '../plan/footprint.ts'
import { portsOf, type Link, type NetworkState } from '../state.ts'

/** The ports that have come to the bridge since: guests' taps, or whatever else was added. */
export function guestsOn(
  state: NetworkState,
  { uplink, bridge }: Sides,
  since: NetworkState,
): readonly Link[] {
  const old = new Set(portsOf(since, bridge).map(({ name }) => name))
  return portsOf(state, bridge).filter(({ name }) => name !== uplink && !old.has(name))
}

/** One line for each, with who holds it. */
export function guestTexts(ports: readonly Pick<Link, 'name'>[]): readonly string[] {
  if (ports.length === 0) return []
  const holders = tapHolders()
  return ports.map(({ name }) => {
    const mine = holders.filter(({ tap }) => tap === name)
    const who = mine.map(({ pid, command }) => `pid ${pid} (${command})`).join(', ')
    return `${name}: ${who === '' ? 'held by no process' : `held by ${who}`}`
  })
}
