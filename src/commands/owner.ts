import { uplinkOwner } from '../adapters/owners.ts'
import { refusal } from '../errors.ts'
import { findLink, type NetworkState } from '../state.ts'

/** Throws (exit 3) where another program manages the uplink. */
export function refuseOwner({ links }: NetworkState, uplink: string): void {
  const index = findLink({ links }, uplink)?.index ?? 0
  const owner = uplinkOwner({ name: uplink, index, links: links.map(({ name }) => name) })
  if (owner === undefined) return
  throw refusal(
    `${owner.name} (pid ${owner.pid}) manages ${uplink} and would put its addresses back there`,
    owner.release,
  )
}
