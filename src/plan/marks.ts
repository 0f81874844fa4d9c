import { findLink, type Link, type NetworkState } from '../state.ts'

/**
 * Our mark on a bridge: its alias, `qemu-tap-hooks ID`, with ` pending` behind it until the commit. A bridge
 * without it was not made here, and is never removed here.
 */
const word = 'qemu-tap-hooks'

export const markOf = (id: string): string => `${word} ${id}`

export interface Mark {
  readonly id: string
  readonly pending: boolean
}

export function readMark(link: Link | undefined): Mark | undefined {
  const found = /^qemu-tap-hooks ([0-9a-f]{8,16})( pending)?$/.exec(link?.alias ?? '')
  return found?.[1] === undefined ? undefined : { id: found[1], pending: found[2] !== undefined }
}

/** Hooks wait while a bridge of ours is marked so. A bridge that is not ours carries no mark. */
export const pendingMark = (alias: string | undefined): string | undefined =>
  alias === undefined || !alias.startsWith(`${word} `) || alias.endsWith(' pending')
    ? alias
    : `${alias} pending`

/** The name that a bridge has for the moment between its making and its marking: the id makes it ours alone. */
export const temporaryNameOf = (id: string): string => `qth${id.slice(0, 10)}`

/** The same, from the alias that the bridge is to carry. */
export const temporaryName = (alias: string): string => temporaryNameOf(alias.split(' ')[1] ?? '')

interface Made {
  readonly id: string
  readonly bridge: string
  readonly adopted: boolean
  readonly raised?: NetworkState | undefined
}

/** By our mark, or, where somebody changed the alias, as the very link that was there at the commit. */
export const isOurBridge = (link: Link, { id, bridge, adopted, raised }: Made): boolean =>
  adopted ||
  readMark(link)?.id === id ||
  (link.kind === 'bridge' && raised !== undefined && findLink(raised, bridge)?.index === link.index)
