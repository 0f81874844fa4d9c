import * as v from 'valibot'
import { about, link, listOf, textAs, trueOrFalse, wholeNumber } from './config-values.ts'
import { isPlain } from './glob.ts'
import { parseMac } from './names.ts'
import type { LinkName } from './names.ts'

export interface TapRule {
  /** A glob for the tap's whole name. */
  readonly match: string
  readonly bridge: LinkName | undefined
  readonly isolated: boolean | undefined
  readonly hairpin: boolean
  readonly mac: string | undefined
  readonly pvid: number | undefined
  readonly trunk: readonly number[]
}

const glob = v.pipe(
  v.string('is not text (allowed: a glob such as "vm-*")'),
  v.nonEmpty('is empty (allowed: a glob such as "vm-*")'),
)

const vlan = wholeNumber('is not a VLAN (allowed: a whole number from 1 to 4094)', 1, 4094)
/** `[[tap]]` */
export const tapTable = v.strictObject({
  match: about('a glob for the names of the taps that this is about; the first that fits decides', glob),
  bridge: v.optional(about('which they join (default: default_bridge)', link)),
  isolated: v.optional(
    about('the guest reaches no other isolated guest (default: as its bridge says)', trueOrFalse),
  ),
  hairpin: v.optional(about('what the guest sends may come back to it', trueOrFalse), false),
  mac: v.optional(
    about(
      "the guest's: the bridge learns no other behind its tap, and sends nothing there that is for somebody else",
      textAs(parseMac, 'such as "52:54:00:12:34:56"'),
    ),
  ),
  pvid: v.optional(about('the VLAN of what the guest sends without a tag', vlan)),
  trunk: v.optional(
    about('VLANs of which the guest sends and gets tagged frames', listOf(vlan, '[10, 20]')),
    [],
  ),
})
export const tap = v.pipe(
  tapTable,
  v.forward(
    v.check(
      ({ mac, match }) => mac === undefined || isPlain(match),
      'is that of one guest, and match fits the taps of many (allowed: with a match without * ? [ ])',
    ),
    ['mac'],
  ),
  v.transform(({ match, bridge: name, isolated, hairpin, mac, pvid, trunk }): TapRule => ({
    ...{ match, bridge: name, isolated, hairpin, mac, pvid, trunk },
  })),
)
