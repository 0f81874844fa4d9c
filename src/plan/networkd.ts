import type { Networkd } from '../owner-state.ts'
import { findLink, type NetworkState } from '../state.ts'
import type { Family } from '../names.ts'
import type { Step } from '../step.ts'
import { bridgeText, unitFolder, unitName, unmanagedText, type OwnerFile } from '../networkd-files.ts'
import { isMove, type Move, type Sides } from './footprint.ts'

/**
 * systemd-networkd, where it manages the uplink: files of ours make it leave that alone and manage the bridge in its place, by the same
 * settings. Such a file goes before all others by its name.
 */

interface Handover {
  readonly state: NetworkState
  readonly sides: Move
  readonly file: OwnerFile | undefined
  /** Those whose addresses the user told: nobody else gives the bridge any. */
  readonly told: readonly Family[]
}

/** What networkd is to manage once the host is on the bridge. */
export function networkdOnBridge({ state, sides, file, told }: Handover): Networkd | undefined {
  const { networkd } = state
  const { uplink, bridge } = sides
  if (networkd === undefined || file === undefined) return networkd
  const isTold = told.length > 0
  const text = isTold ? unmanagedText(bridge) : bridgeText(file, bridge)
  const name = unitName(bridge, bridge)
  return {
    ...networkd,
    units: [
      { name, text },
      { name: unitName(bridge, uplink), text: unmanagedText(uplink) },
    ].sort((a, b) => (a.name < b.name ? -1 : 1)),
    managed: isTold ? [] : [{ dev: bridge, file: `${unitFolder}/${name}` }],
  }
}

export const isNetworkds = ({ networkd }: Pick<NetworkState, 'networkd'>, dev: string): boolean =>
  networkd?.managed.some((link) => link.dev === dev) === true

/** Which of its own files networkd takes is its affair. */
export const isSameFile = (a: string, b: string): boolean => a === b || !(isOurs(a) || isOurs(b))

const isOurs = (file: string): boolean => file.startsWith(`${unitFolder}/0-qemu-tap-hooks-`)

/** Less the file for a bridge that is gone: networkd would take the new one before it has anything. */
export const withoutBridgeUnit = (state: NetworkState, { bridge }: Move): NetworkState =>
  state.networkd === undefined || findLink(state, bridge) !== undefined
    ? state
    : {
        ...state,
        networkd: {
          ...state.networkd,
          units: state.networkd.units.filter(({ name }) => name !== unitName(bridge, bridge)),
        },
      }

/**
 * What must come before anything else where a change is taken back: networkd is to let the uplink go while the host is still on the bridge.
 * When it leaves the bridge, networkd would take it for a new link, and empty it.
 */
export function guardSteps(from: NetworkState, to: NetworkState, sides: Sides): readonly Step[] {
  const { networkd } = from
  if (networkd === undefined || !isMove(sides)) return []
  const { uplink, bridge } = sides
  const isLeaving = findLink(from, uplink)?.master === bridge && findLink(to, uplink)?.master !== bridge
  if (!networkd.running || !isLeaving || !isNetworkds(from, uplink)) return []
  const put = [{ name: unitName(bridge, uplink), text: unmanagedText(uplink) }]
  return [
    { op: 'networkd.units', put, remove: [], passing: [], reload: true, awaits: [], released: [uplink] },
  ]
}
