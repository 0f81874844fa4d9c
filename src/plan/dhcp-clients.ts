import type { DhcpClient } from '../owner-state.ts'
import type { NetworkState } from '../state.ts'
import type { Difference } from './compare.ts'
import type { Move, Sides } from './footprint.ts'

/** The DHCP clients of both sides. They are ended without a word to their servers, and begin with the leases that they had. */

type Clients = NetworkState['clients']

interface WayDown {
  readonly original: NetworkState
  readonly raised: NetworkState
  readonly now: NetworkState
  readonly sides: Move
}

/** The clients that were there, and with them what somebody began on the bridge. */
export const clientsBack = ({ original, raised, now, sides }: WayDown): Clients =>
  original.clients && [
    ...original.clients,
    ...addedClients(now, raised, sides).map((client) => ({
      ...client,
      dev: sides.uplink,
      words: client.words.map((word) => (word === sides.bridge ? sides.uplink : word)),
    })),
  ]

/** Those that brup left, and with them what somebody began on the bridge. */
export const clientsKept = (raised: NetworkState, now: NetworkState, sides: Sides): Clients =>
  raised.clients && [...raised.clients, ...addedClients(now, raised, sides)]

const addedClients = (now: NetworkState, raised: NetworkState, { bridge }: Sides): readonly DhcpClient[] =>
  without(now.clients, raised.clients).filter(({ dev }) => dev === bridge)

export const kindOf = ({ name, families }: DhcpClient): string => `${name} ${families.join('')}`
export const idOf = (client: DhcpClient): string => `${kindOf(client)} ${client.dev}`
const textOf = ({ name, families, dev }: DhcpClient): string =>
  `${name}${families.includes(4) ? '' : ' for IPv6'} of ${dev}`

export const isRunning = ({ ended }: DhcpClient): boolean => ended !== true

export const without = (clients: Clients = [], others: Clients = []): readonly DhcpClient[] => {
  const ids = new Set(others.filter(isRunning).map(idOf))
  return clients.filter((client) => isRunning(client) && !ids.has(idOf(client)))
}

/** What is not there, or is only about to begin again. */
export const lacking = (goal: Clients, actual: Clients): readonly DhcpClient[] =>
  without(goal, actual?.filter(isBusy))

const isBusy = ({ pausing }: DhcpClient): boolean => pausing !== true

/** While the host is between its two sides, only those that stay where they are run. */
export function stayingClients(from: NetworkState, to: NetworkState): Clients {
  if (to.clients === undefined) return undefined
  const leaving = new Set(without(from.clients, to.clients))
  return from.clients?.map((client) => (leaving.has(client) ? { ...client, ended: true } : client))
}

/** Of one that was about to begin again nobody can say whether it will. */
export function compareClients(actual: NetworkState, goal: NetworkState): readonly Difference[] {
  if (actual.clients === undefined || goal.clients === undefined) return []
  return [
    ...lacking(goal.clients.filter(isBusy), actual.clients).map((client) => `missing: ${textOf(client)}`),
    ...without(actual.clients, goal.clients).map((client) => `too much: ${textOf(client)}`),
  ]
}
