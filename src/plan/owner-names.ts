import type { DhcpClient } from '../owner-state.ts'
import type { NetworkState } from '../state.ts'
import { isAdvertisedAddress } from './addresses.ts'
import type { Move } from './footprint.ts'
import { isNetworkds } from './networkd.ts'

/** Who looks after the uplink, and what becomes of that while the host is on the bridge. */
export interface OwnerName {
  readonly name: string
  /** A sentence without its subject: `goes to br0 with the lease`. */
  readonly meanwhile: string
}

interface Host {
  readonly before: NetworkState
  /** As it is on the bridge; `undefined` where that is yet to be seen. */
  readonly raised: NetworkState | undefined
  readonly isIfupdowns: boolean
}

/** Nobody, where the list is empty: addresses that stay as they are. */
export function ownerNames(
  { before, raised, isIfupdowns }: Host,
  { uplink, bridge }: Move,
): readonly OwnerName[] {
  const { manager, networkd, clients = [], addresses } = before
  const isOnBridge = ({ name, families }: Pick<DhcpClient, 'name' | 'families'>): boolean =>
    raised?.clients === undefined ||
    raised.clients.some(
      (client) =>
        client.name === name &&
        client.dev === bridge &&
        client.families.some((family) => families.includes(family)),
    )
  const isBridgeManaged = raised?.networkd === undefined || isNetworkds(raised, bridge)
  const isDynamic = ({ dev, validUntil }: { dev: string; validUntil: number | undefined }): boolean =>
    dev === uplink && validUntil !== undefined
  const unit = networkd?.managed.find(({ dev }) => dev === uplink)
  const profile = manager?.uplink?.managed === true ? manager.uplink.profile : undefined
  const isLeased = addresses.some((address) => address.family === 4 && isDynamic(address))
  const netplan = unit !== undefined && /\/\d*-?netplan-/u.test(unit.file) ? ' of netplan' : ''
  return [
    ...(unit === undefined
      ? []
      : [
          {
            name: `systemd-networkd (${unit.file}${netplan})`,
            meanwhile: `${isBridgeManaged ? `manages ${bridge} in its place` : `leaves ${uplink} and ${bridge} alone`}, by files under /run/systemd/network`,
          },
        ]),
    ...(profile === undefined
      ? []
      : [
          {
            name: `NetworkManager (profile ${profile})`,
            meanwhile: `leaves ${uplink} and ${bridge} alone${isLeased && isOnBridge({ name: 'udhcpc', families: [4] }) ? ', and udhcpc renews the lease' : ''}`,
          },
        ]),
    ...clients
      .filter(({ dev }) => dev === uplink)
      .map((client) => ({
        name: client.name,
        meanwhile: isOnBridge(client) ? `goes to ${bridge} with its lease` : 'is ended until brdown',
      })),
    ...(isIfupdowns ? [{ name: 'ifupdown', meanwhile: `is not to be told of ${uplink} until brdown` }] : []),
    ...(addresses.some((address) => address.dev === uplink && isAdvertisedAddress(address))
      ? [{ name: 'the kernel, by router advertisements', meanwhile: `listens to them on ${bridge}` }]
      : []),
  ]
}

/** `eth0 is managed by dhclient, which goes to br0 with its lease` */
export const ownerText = ({ name, meanwhile }: OwnerName, uplink: string): string =>
  `${uplink} is managed by ${name}, which ${meanwhile}`
