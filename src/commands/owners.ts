import { leaseScript } from '../dhcp-script.ts'
import { refusal } from '../errors.ts'
import { bootSeconds, sleep } from '../kernel/clock.ts'
import { clientFolder } from '../kernel/dhcp-processes.ts'
import { installedClient, installedUdhcpc } from '../kernel/installed-client.ts'
import { leaseOf, resolverOf } from '../kernel/network-manager.ts'
import { ownerFile } from '../kernel/networkd.ts'
import { nftKnows } from '../kernel/nft.ts'
import { clientsOnBridge } from '../plan/clients-on-bridge.ts'
import { isIfupdowns } from '../kernel/ifupdown.ts'
import { isMove, type Move, type Sides } from '../plan/footprint.ts'
import { ownerNames, type OwnerName } from '../plan/owner-names.ts'
import { canBeNamed } from '../plan/firewall.ts'
import { guardText } from '../plan/lease-guard.ts'
import { managerOnBridge } from '../plan/network-manager.ts'
import { isNetworkds, networkdOnBridge } from '../plan/networkd.ts'
import { ownClient } from '../plan/own-client.ts'
import type { OwnerFile } from '../networkd-files.ts'
import { asksFor4, own4, toldClient } from '../plan/told-client.ts'
import type { DhcpClient } from '../owner-state.ts'
import { findLink, type NetworkState } from '../state.ts'
import { observeSides } from '../transaction/verify.ts'
import type { Session } from './session.ts'
import type { Wish } from './wish.ts'

/** Who looks after the uplink, if it has one. */
export const ownersOf = (
  before: NetworkState,
  raised: NetworkState | undefined,
  sides: Sides,
): readonly OwnerName[] =>
  isMove(sides) ? ownerNames({ before, raised, isIfupdowns: isIfupdowns(sides.uplink) }, sides) : []

/**
 * All that looks after the uplink, as it is to be once the host is on the bridge. Throws (exit 3) where there is no client to begin
 * there.
 */
export async function ownersOnBridge(
  state: NetworkState,
  sides: Move,
  { wish, id }: { wish: Wish; id: string },
): Promise<Pick<NetworkState, 'clients' | 'manager' | 'networkd'> & { isGuarded: boolean }> {
  const told = wish.addresses.map(({ family }) => family)
  const file = networkdFile(state, sides)
  const clients = await clientsFor(state, sides, wish)
  return {
    clients,
    isGuarded: await isGuarded(state, sides, wish),
    manager: managerOnBridge(state.manager, { sides, id, resolver: resolverOf() }),
    networkd: networkdOnBridge({ state, sides, file, told }),
  }
}

/**
 * Where a client of the uplink's own goes along, another one might begin there; a manager knows better. Our rules are told where they
 * can be listed again, and where the user lets us.
 */
async function isGuarded({ clients, firewall }: NetworkState, sides: Move, wish: Wish): Promise<boolean> {
  const isLeaving = clients?.some(({ dev }) => dev === sides.uplink) === true
  const isOpen = wish.firewall !== 'warn' && firewall !== undefined
  return isLeaving && isOpen && canBeNamed(sides.uplink) && (await nftKnows(guardText(sides)))
}

/**
 * NetworkManager renews no lease on a bridge that is not its own: a client that does so in its place. Throws (exit 3) where there
 * is none.
 */
async function managedLease(
  { manager, routes }: NetworkState,
  { uplink, bridge }: Move,
  { addresses }: Pick<Wish, 'addresses'>,
): Promise<readonly DhcpClient[]> {
  const isTold = addresses.some(({ family }) => family === 4)
  if (manager?.uplink?.managed !== true || isTold) return []
  const lease = await leaseOf(uplink)
  if (lease === undefined) return []
  const path = await installedUdhcpc()
  if (path === undefined)
    throw refusal(
      `${uplink} has a lease that NetworkManager would not renew on ${bridge}, and there is no udhcpc to do so`,
      'install busybox',
    )
  const metric = routes.find(
    ({ family, dst, hops }) => family === 4 && dst === 'default' && hops[0]?.dev === uplink,
  )?.metric
  return [ownClient(bridge, { ...lease, metric, path, folder: clientFolder(), script: leaseScript })]
}

/** Those of the uplink; that which renews a lease of NetworkManager; and one of its own where the bridge is to ask for an address. */
async function clientsFor(state: NetworkState, sides: Move, wish: Wish): Promise<NetworkState['clients']> {
  const told = wish.addresses.map(({ family }) => family)
  const taken = clientsOnBridge({ state, sides, folder: clientFolder(), told })
  const clients = taken && [...taken, ...(await managedLease(state, sides, wish))]
  if (!wish.dhcp || asksFor4({ ...state, clients }, sides.bridge) || networkdAsks(state, sides))
    return clients
  return [...(clients ?? []), await newClient(state, sides)]
}

const networkdAsks = (state: NetworkState, sides: Move): boolean =>
  /^\s*DHCP\s*=\s*(?:yes|true|on|1|ipv4)\s*$/mu.test(networkdFile(state, sides)?.text ?? '')

/** By which systemd-networkd manages the uplink, if it does. */
function networkdFile(state: NetworkState, { uplink }: Move): OwnerFile | undefined {
  const link = findLink(state, uplink)
  return link !== undefined && isNetworkds(state, uplink) ? ownerFile(link) : undefined
}

async function newClient(state: NetworkState, { uplink, bridge }: Move): Promise<DhcpClient> {
  const [address] = own4(state, uplink)
  if (address !== undefined)
    throw refusal(
      `${uplink} has the address ${address.local}, and no DHCP client that could go along`,
      'give no --dhcp, or take the address off first',
    )
  const installed = await installedClient()
  if (installed === undefined)
    throw refusal('there is no DHCP client on this machine', 'install isc-dhcp-client, dhcpcd or busybox')
  return toldClient(bridge, installed)
}

const leaseSeconds = 10

/** What was promised is there when brup ends; where no server answers, the client goes on asking. */
export async function awaitLease(sides: Sides, { say, signal }: Session): Promise<void> {
  const { bridge } = sides
  const end = bootSeconds() + leaseSeconds
  while (bootSeconds() < end && !signal.aborted) {
    if (own4(await observeSides(sides), bridge).length > 0) return
    await sleep(100)
  }
  say(`no DHCP server has answered on ${bridge} yet; its client goes on asking`)
}
