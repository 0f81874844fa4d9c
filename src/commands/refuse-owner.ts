import { profileProblem } from '../adapters/network-manager.ts'
import { uplinkOwner } from '../adapters/owners.ts'
import { refusal } from '../errors.ts'
import { mayTake, networkdInTheWay } from '../kernel/networkd.ts'
import type { Move } from '../plan/footprint.ts'
import { isNetworkds } from '../plan/networkd.ts'
import type { Family } from '../names.ts'
import { findLink, type NetworkState } from '../state.ts'

/** Throws (exit 3) where another program manages the uplink, and cannot be taken along to the bridge. */
export async function refuseOwner(
  state: NetworkState,
  sides: Move,
  told: readonly Family[] = [],
): Promise<void> {
  const { uplink } = sides
  const owner = await uplinkOwner(uplink)
  if (owner !== undefined)
    throw refusal(
      `${owner.name} (pid ${owner.pid}) manages ${uplink} and would put its addresses back there`,
      owner.release,
    )
  await refuseNetworkd(state, sides, told)
  await refuseManager(state, sides)
}

async function refuseNetworkd(
  state: NetworkState,
  { uplink, bridge }: Move,
  told: readonly Family[],
): Promise<void> {
  const link = findLink(state, uplink)
  if (link !== undefined && mayTake(link, state.networkd))
    throw refusal(`systemd-networkd has yet to look at ${uplink}`, 'try again in a moment')
  const isManaged = isNetworkds(state, uplink)
  if (isManaged && isNetworkds(state, bridge))
    throw refusal(
      `systemd-networkd manages ${bridge}, too, by a file of its own`,
      'give the bridge another name',
    )
  const untold = state.addresses.find(
    ({ dev, family, scope, validUntil }) =>
      dev === uplink && scope !== 'link' && validUntil !== undefined && !told.includes(family),
  )
  if (isManaged && told.length > 0 && untold !== undefined)
    throw refusal(
      `systemd-networkd would not renew ${untold.local} any more`,
      `give an IPv${untold.family} address, too, or none`,
    )
  const problem = link !== undefined && isManaged ? await networkdInTheWay(link, bridge) : undefined
  if (problem === undefined) return
  throw refusal(
    `systemd-networkd manages ${uplink} and cannot be taken along: ${problem.reason}`,
    `${problem.wayOut}, or give ${uplink} a .network file with Unmanaged=yes under [Link]`,
  )
}

async function refuseManager({ manager }: NetworkState, sides: Move): Promise<void> {
  const { uplink } = sides
  const problem = manager === undefined ? undefined : await profileProblem(sides, manager)
  if (problem !== undefined)
    throw refusal(`NetworkManager manages ${uplink}, and ${problem.reason}`, problem.wayOut)
}
