import { guardTable, quotedName } from '../nft-names.ts'
import type { Firewall } from '../firewall-state.ts'
import type { Difference } from './compare.ts'
import type { Share } from './converge.ts'
import { nameOf, type Move, type Sides } from './footprint.ts'

/**
 * What keeps the uplink from asking for a lease by itself: a DHCP client that somebody begins there while the host is on the bridge
 * would put the address on it a second time, or give the lease back. Requests that went through the bridge carry a mark, those of its
 * own client and those of its guests; without it they end at the uplink.
 */

/** A bit that nobody is known to use for such packets on their way out of a port. */
const mark = '0x10000000'

const requests = ['ether type ip udp sport 68 udp dport 67', 'ether type ip6 udp sport 546 udp dport 547']

/** With what keeps the link from asking, or (`undefined`) without. */
export const withGuard = (
  firewall: Firewall | undefined,
  guarded: string | undefined,
): Firewall | undefined => firewall && { ...firewall, guarded }

/**
 * For nft, in place of what the bridge has of it. Of the uplink itself, not of a VLAN on it, whose frames have a tag there; and of this
 * very link (`oif` is its index): one that is plugged in anew is nobody's port.
 */
export const guardText = (sides: Move): string => {
  const bridge = nameOf(sides)
  const port = quotedName(sides.uplink)
  return [
    guardRemoval(bridge),
    `table bridge ${guardTable(bridge)} {`,
    '\tchain bridged {',
    '\t\ttype filter hook postrouting priority filter; policy accept;',
    ...requests.map((request) => `\t\toifname ${port} ${request} meta mark set meta mark | ${mark}`),
    '\t}',
    '}',
    `table netdev ${guardTable(bridge)} {`,
    '\tchain uplink {',
    `\t\ttype filter hook egress device ${port} priority filter; policy accept;`,
    ...requests.map((request) => `\t\toif ${port} ${request} meta mark & ${mark} == 0 drop`),
    '\t}',
    '}',
  ].join('\n')
}

/** A table that is not there cannot be deleted, but be made first (nft before 1.0.7 has no `destroy`). */
const guardRemoval = (bridge: string): string =>
  ['bridge', 'netdev']
    .flatMap((family) => ['add', 'delete'].map((verb) => `${verb} table ${family} ${guardTable(bridge)}`))
    .join('\n')

/** There once the host is on the bridge, and until it has left it: whoever looks after the uplink then may ask at once. */
export function convergeGuard(from: Firewall, to: Firewall, sides: Sides): Share {
  if (from.guarded === to.guarded) return { first: [], last: [] }
  const bridge = nameOf(sides)
  return to.guarded === undefined
    ? { first: [{ op: 'nft.load', text: guardRemoval(bridge) }], last: [] }
    : { first: [], last: [{ op: 'nft.load', text: guardText({ bridge, uplink: to.guarded }) }] }
}

export function compareGuards(actual: Firewall, goal: Firewall): readonly Difference[] {
  const [is, be] = [actual.guarded, goal.guarded]
  if (is === be) return []
  const link = be ?? is
  const what = `what keeps ${link === undefined || link === '' ? 'the uplink' : link} from asking for a lease`
  return [`${be === undefined ? 'too much' : 'missing'}: ${what}`]
}
