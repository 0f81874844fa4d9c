import type { Permanent } from '../../plan/permanent.ts'
import type { Address, Neighbour, Rule } from '../../state.ts'
import { ruleWords } from '../../words.ts'

/** What cannot be carried, in words. */

export const ruleText = (rule: Rule): string => ruleWords(rule).join(' ')

export const addressText = ({ local, prefixLength }: Address): string => `${local}/${prefixLength}`

/** What of an address has no word in a kind. */
export const addressNotes = (text: string, names: readonly string[]): readonly string[] =>
  names.map((name) =>
    name === 'broadcast'
      ? `mind: ${text} gets the usual broadcast address, which is not the one it has now, if it has any`
      : `not carried: ${name} of the address ${text}`,
  )

const neighbourText = ({ dst, mac, proxy }: Neighbour): string =>
  proxy ? `the proxy entry for ${dst}` : `the neighbour ${dst} with ${mac ?? 'no address'}`

export const neighbourNotes = ({ neighbours }: Permanent): readonly string[] =>
  neighbours.map((neighbour) => `not carried: ${neighbourText(neighbour)}`)

/** For kinds that do nothing for guests. */
export function guestNotes({ nat, serving, defaultVlan }: Permanent): readonly string[] {
  const families = nat.map((family) => `IPv${family}`).join(' and ')
  return [
    ...(nat.length > 0 ? [`not carried: the NAT of its guests for ${families}`] : []),
    ...(serving === undefined
      ? []
      : [`not carried: the addresses ${serving.first},${serving.last} for its guests, and their names`]),
    ...(defaultVlan === undefined ? [] : [`not carried: that it looks at VLAN tags (vlan_filtering)`]),
  ]
}

/** An uplink that is built of others has a configuration of its own already. */
export const isPlain = ({ kind }: NonNullable<Permanent['uplink']>): boolean =>
  kind === undefined || kind === 'veth' || kind === 'dummy'
