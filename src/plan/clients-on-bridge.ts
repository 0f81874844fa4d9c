import { clientWords, type ClientWords } from '../client-words.ts'
import type { Family } from '../names.ts'
import type { DhcpClient } from '../owner-state.ts'
import type { NetworkState } from '../state.ts'
import type { Move } from './footprint.ts'

/**
 * The same client on the bridge: by the same settings and the same MAC address, and for the server it is the same host.
 */

interface Handover {
  readonly sides: Move
  /** Where the files of those on the bridge are, an absolute path. */
  readonly folder: string
  readonly state: NetworkState
  /** Those whose addresses the user told: nobody asks a server for them. */
  readonly told: readonly Family[]
}

/** The clients as they are to be once the host is on the bridge. */
export const clientsOnBridge = ({ state, sides, folder, told }: Handover): NetworkState['clients'] =>
  state.clients?.flatMap((client) => {
    if (client.dev !== sides.uplink) return [client]
    const families = client.families.filter((family) => !told.includes(family))
    return families.length === 0 ? [] : [onBridge({ ...client, families }, { state, sides, folder })]
  })

/** The same client for the bridge, with files of its own: two clients must not write to one. */
function onBridge(
  client: DhcpClient,
  { state, sides, folder }: Pick<Handover, 'state' | 'sides' | 'folder'>,
): DhcpClient {
  const words = clientWords(client.name, client.words)
  if (words === undefined) return client
  const file = (suffix: string): string => clientFile({ ...client, dev: sides.bridge }, folder, suffix)
  const moved = { ...client, dev: sides.bridge }
  switch (client.name) {
    case 'dhclient':
      return {
        ...moved,
        words: dhclientWords(words, client.confined ? usualPlaces(words, sides) : file, sides.bridge),
      }
    case 'dhcpcd':
      return {
        ...moved,
        words: dhcpcdWords(words, file('conf'), { state, sides, families: client.families }),
      }
    case 'udhcpc':
      return { ...moved, words: udhcpcWords(words, file('pid'), { state, sides }) }
  }
}

/** dhcpcd does not show by which of them it goes: it is known by its name. */
const clientFile = ({ name, families, dev }: DhcpClient, folder: string, suffix: string): string =>
  `${folder}/${name}${name === 'dhcpcd' ? '' : families.join('')}-${dev}.${suffix}`

/** Those of its options that it has, with other values. */
const ownWords = ({ own }: ClientWords, values: Readonly<Record<string, string>>): readonly string[] =>
  Object.entries(values).flatMap(([key, value]) => (own.has(key) ? [key, value] : []))

type Files = (suffix: 'conf' | 'leases' | 'pid') => string

/** Where the rules of distributions let it have files: beside those that it has, by names that begin with its own. */
const usualPlaces =
  ({ own }: ClientWords, { bridge }: Move): Files =>
  (suffix) => {
    if (suffix === 'conf') return own.get('-cf') ?? ''
    const path = own.get(suffix === 'pid' ? '-pf' : '-lf')
    const usual = suffix === 'pid' ? '/run' : '/var/lib/dhcp'
    return `${path?.replace(/\/[^/]*$/u, '') ?? usual}/dhclient.${bridge}.${suffix}`
  }

const dhclientWords = (words: ClientWords, file: Files, bridge: string): readonly string[] => [
  ...ownWords(words, { '-cf': file('conf'), '-sf': words.own.get('-sf') ?? '' }),
  ...['-lf', file('leases'), '-pf', file('pid')],
  ...words.rest,
  bridge,
]

/** Its routes would have another metric on the bridge: it takes one by the index of the link. */
function dhcpcdWords(
  words: ClientWords,
  conf: string,
  { state, sides, families }: Pick<Handover, 'state' | 'sides'> & Pick<DhcpClient, 'families'>,
): readonly string[] {
  const [family = 4, other] = families
  const route = state.routes.find(
    ({ protocol, dst, hops }) => protocol === 'dhcp' && dst === 'default' && hops[0]?.dev === sides.uplink,
  )
  const isTold = words.rest.includes('-m')
  return [
    ...(other === undefined ? [`-${family}`] : []),
    ...words.rest.filter((word) => word !== '-4' && word !== '-6'),
    ...(route === undefined || isTold ? [] : ['-m', String(route.metric)]),
    ...ownWords(words, { '-f': conf }),
    sides.bridge,
  ]
}

/** It keeps no lease: it is told which address to ask for, where that is plain. */
function udhcpcWords(
  words: ClientWords,
  pidFile: string,
  { state, sides }: Pick<Handover, 'state' | 'sides'>,
): readonly string[] {
  const [address, ...others] = state.addresses.filter(
    ({ dev, family, status }) => dev === sides.uplink && family === 4 && !status.includes('secondary'),
  )
  const isPlain = address !== undefined && others.length === 0
  return [
    ...['-i', sides.bridge, '-p', pidFile],
    ...ownWords(words, { '-s': words.own.get('-s') ?? '' }),
    ...(isPlain ? ['-r', address.local] : []),
    ...words.rest,
  ]
}
