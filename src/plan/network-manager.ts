import type { ManagedDevice, NetworkManager } from '../owner-state.ts'
import { findLink, type Link, type NetworkState } from '../state.ts'
import type { Step } from '../step.ts'
import { addressId } from './addresses.ts'
import { isStopGap } from './advertised.ts'
import type { Difference } from './compare.ts'
import { isMove, nameOf, type Move, type Sides } from './footprint.ts'
import { ipv6Anew } from './ipv6-anew.ts'
import { temporaryNameOf } from './marks.ts'

/**
 * NetworkManager lets go of the uplink for as long as it is a port, and of the bridge: it keeps what is on them. Its profile is
 * brought up again on the uplink where it was active.
 */

type Manager = NetworkState['manager']

/** The name servers that it has from all its links, in order. */
interface Resolver {
  readonly servers: readonly string[]
  readonly searches: readonly string[]
}

interface Handover {
  readonly sides: Move
  readonly id: string
  readonly resolver: Resolver
}

/** As it is to be once the host is on the bridge. */
export function managerOnBridge(manager: Manager, handover: Handover): Manager {
  const uplink = manager?.uplink
  if (uplink?.managed !== true) return manager
  return { uplink: { ...uplink, managed: false, profile: undefined }, told: toldText(handover) }
}

/**
 * The bridge is out of its reach, the uplink only as long as nobody tells it otherwise: to unmanage a link by `unmanaged-devices` that
 * it has a profile on takes the link down. The name servers of a link go with its profile, and are those of all links meanwhile.
 */
function toldText({ sides: { uplink, bridge }, id, resolver: { servers, searches } }: Handover): string {
  const names = [bridge, temporaryNameOf(id)].map((name) => `interface-name:=${name}`)
  const lines = [
    `# Made by brup for ${bridge}; brdown takes it away.`,
    '[keyfile]',
    `unmanaged-devices+=${names.join(';')}`,
    `[device-qemu-tap-hooks-${bridge}]`,
    `match-device=interface-name:=${uplink}`,
    'managed=0',
    ...(servers.length === 0
      ? []
      : [
          '[global-dns]',
          ...(searches.length === 0 ? [] : [`searches=${searches.join(',')}`]),
          '[global-dns-domain-*]',
          `servers=${servers.join(',')}`,
        ]),
  ]
  return `${lines.join('\n')}\n`
}

const isWithoutManager = ({ manager }: NetworkState): boolean => manager?.told !== undefined

/**
 * NetworkManager listens to routers itself, in place of the kernel, and nobody does so on the bridge: what they advertised lasts as
 * long as the bridge.
 */
export const lasting = (goal: NetworkState, { bridge }: Sides): NetworkState =>
  isWithoutManager(goal)
    ? {
        ...goal,
        addresses: goal.addresses.map((address) =>
          address.dev === bridge && address.family === 6
            ? { ...address, validUntil: undefined, preferredUntil: undefined }
            : address,
        ),
      }
    : goal

/** In seconds: the least that an advertised address gets until NetworkManager has heard of it again. */
const untilAdvertised = 30

/** The way back: such an address lasts for as long as it did, or for a while, and what stands in for an advertised route for a while. */
export const advertisedAgain = (
  goal: NetworkState,
  { original, at }: { original: NetworkState; at: number },
): NetworkState => {
  if (original.manager?.uplink?.managed !== true) return goal
  const before = new Map(original.addresses.map((address) => [addressId(address), address]))
  const least = (until: number | undefined): number | undefined =>
    until === undefined ? undefined : Math.max(until, at + untilAdvertised)
  return {
    ...goal,
    routes: goal.routes.map((route) =>
      isStopGap(route) ? { ...route, expiresAt: at + untilAdvertised } : route,
    ),
    addresses: goal.addresses.map((address) => {
      const then = address.family === 6 ? before.get(addressId(address)) : undefined
      return then?.validUntil === undefined || address.validUntil !== undefined
        ? address
        : { ...address, validUntil: least(then.validUntil), preferredUntil: least(then.preferredUntil) }
    }),
  }
}

/** Right before the switch. Going up it has still the uplink; going down it must not remember what it had put there. */
export function readyManager(from: Manager, to: Manager): Manager {
  if (from === undefined || to === undefined) return from
  const told = to.told ?? from.told
  const comes = from.uplink?.managed === false && to.uplink?.managed === true
  if (from.uplink === undefined || !comes) return { ...from, told }
  return { uplink: { ...from.uplink, forgotten: true }, told }
}

interface Steps {
  readonly first: readonly Step[]
  /** Before anything is taken off the uplink: NetworkManager would put it there again. */
  readonly release: readonly Step[]
  /** When the uplink has all that it is to have, and still looks for no duplicates: NetworkManager makes its IPv6 anew. */
  readonly up: readonly Step[]
  readonly last: readonly Step[]
}

const none: Steps = { first: [], release: [], up: [], last: [] }

export function convergeManager(from: NetworkState, to: NetworkState, sides: Sides): Steps {
  if (from.manager === undefined || to.manager === undefined || !isMove(sides)) return none
  const { uplink: dev } = sides
  const bridge = nameOf(sides)
  const { told } = to.manager
  const tell: readonly Step[] = told === from.manager.told ? [] : [{ op: 'nm.tell', bridge, text: told }]
  const order = told === undefined ? { first: [], last: tell } : { first: tell, last: [] }
  const [is, be] = [from.manager.uplink, to.manager.uplink]
  if (be !== undefined && is === undefined && be.managed && from.manager.silent !== true)
    return { ...none, ...order, last: [...order.last, ...recall(be, findLink(to, dev))] }
  if (is === undefined || be === undefined) return { ...none, ...order }
  // It would take off what is there.
  const isEmpty = !from.addresses.some((address) => address.dev === dev)
  const forgets = be.forgotten === true && is.forgotten !== true && isEmpty
  return {
    first: [...order.first, ...(forgets ? [{ op: 'nm.forget', dev, to: be } as const] : [])],
    // A kill in the middle of one of the others leaves it without autoconnect.
    release:
      !be.managed && (is.managed || is.autoconnect !== be.autoconnect)
        ? [{ op: 'nm.release', dev, to: be }]
        : [],
    up: be.managed && differs(is, be) ? [{ op: 'nm.up', dev, to: be, anew: ipv6Anew(to, sides) }] : [],
    last: order.last,
  }
}

/** It would leave the link alone for good. */
const recall = (to: ManagedDevice, link: Link | undefined): readonly Step[] =>
  link === undefined ? [] : [{ op: 'nm.recall', index: link.index, to }]

const differs = (is: ManagedDevice, be: ManagedDevice): boolean =>
  is.managed !== be.managed || is.profile !== be.profile || is.autoconnect !== be.autoconnect

export function compareManager(actual: Manager, goal: Manager, sides: Sides): readonly Difference[] {
  if (actual === undefined || goal === undefined || !isMove(sides)) return []
  return [...compareTold(actual, goal, sides), ...compareLink(actual, goal, sides)]
}

const compareTold = (
  actual: NetworkManager,
  goal: NetworkManager,
  { uplink }: Move,
): readonly Difference[] =>
  actual.told === goal.told ? [] : [`different: what NetworkManager is told of ${uplink}`]

function compareLink(
  { uplink: is, silent }: NetworkManager,
  { uplink: be, told }: NetworkManager,
  { uplink: dev }: Move,
): readonly Difference[] {
  if (be === undefined) return []
  if (is === undefined)
    return silent === true && (be.managed || told !== undefined)
      ? [`unknown: NetworkManager does not say whether it manages ${dev}`]
      : []
  if (is.managed !== be.managed)
    return [`different: NetworkManager ${is.managed ? 'manages' : 'does not manage'} ${dev}`]
  if (be.profile !== undefined && is.profile !== be.profile)
    return [`missing: NetworkManager's profile ${be.profile} on ${dev}`]
  return is.autoconnect === be.autoconnect
    ? []
    : [`different: NetworkManager's autoconnect of ${dev}, should be ${be.autoconnect ? 'yes' : 'no'}`]
}
