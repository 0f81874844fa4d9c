import { clientWords } from '../client-words.ts'
import type { DhcpClient, Inherited } from '../owner-state.ts'
import { findLink, type NetworkState } from '../state.ts'
import type { Step } from '../step.ts'
import { idOf, isRunning, kindOf, lacking, without } from './dhcp-clients.ts'
import { nameOf, type Sides } from './footprint.ts'

/**
 * They end right before the switch, and begin when all is in place. Their sockets are bound to one link: a bridge that is made anew
 * needs new ones.
 */
export function convergeClients(from: NetworkState, to: NetworkState, sides: Sides): readonly Step[] {
  if (from.clients === undefined || to.clients === undefined) return []
  const bridge = nameOf(sides)
  const isMade = findLink(from, sides.bridge) === undefined && findLink(to, sides.bridge) !== undefined
  const bound = isMade ? to.clients.filter((client) => isRunning(client) && client.dev === bridge) : []
  const isBound = (client: DhcpClient): boolean => bound.some((other) => idOf(other) === idOf(client))
  const leaving = from.clients.filter(
    (client) => isRunning(client) && (isBound(client) || without([client], to.clients).length > 0),
  )
  const coming = to.clients.filter(
    (client) => isRunning(client) && (isBound(client) || lacking([client], from.clients).length > 0),
  )
  return [
    ...leaving.map((client): Step => ({ op: 'client.stop', client })),
    ...coming.map((client): Step => {
      const before = from.clients?.find(
        (other) => kindOf(other) === kindOf(client) && other.dev !== client.dev,
      )
      return {
        op: 'client.start',
        client,
        inherits: before ? inherited(before, client, bridge) : [],
        kept: client.dev === bridge,
      }
    }),
  ]
}

/** What the one on the other link has learnt; for one on the bridge also what it was told in files. */
function inherited(before: DhcpClient, client: DhcpClient, bridge: string): readonly Inherited[] {
  const [old, own] = [before, client].map(({ name, words }) => clientWords(name, words)?.own)
  const at = { oldDev: before.dev, dev: client.dev }
  const pair = (key: string, as: Inherited['as']): readonly Inherited[] => {
    const [source, target] = [old?.get(key), own?.get(key)]
    return source === undefined || target === undefined || source === target
      ? []
      : [{ from: source, to: target, as, ...at }]
  }
  const isOurs = client.dev === bridge
  switch (client.name) {
    case 'dhclient':
      return isOurs ? [...pair('-lf', 'leases'), ...pair('-cf', 'text')] : pair('-lf', 'append')
    case 'dhcpcd':
      return [
        ...client.families.map((family): Inherited => {
          const lease = (dev: string): string => `${dhcpcdFolder}/${dev}.lease${family === 4 ? '' : '6'}`
          return { from: lease(before.dev), to: lease(client.dev), as: 'copy', ...at }
        }),
        ...(isOurs ? pair('-f', 'text') : []),
      ]
    case 'udhcpc':
      return []
  }
}

const dhcpcdFolder = '/var/lib/dhcpcd'
