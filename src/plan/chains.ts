import { networkOf, type Cidr, type Family } from '../names.ts'
import type { ChainSet } from '../state.ts'
import { chainName, tableName } from '../nft-names.ts'
import { markOf } from './marks.ts'

/** What a bridge without an uplink has in nftables, in the words in which nft lists it. */

interface ChainOptions {
  readonly bridge: string
  readonly id: string
  readonly addresses: readonly Cidr[]
  readonly nat: boolean
}

/**
 * Nothing is routed to the guests that they did not ask for, nor from them but what NAT hides behind the host's addresses;
 * without NAT, nothing at all. What they send each other does not come by here, or comes from the bridge (br_netfilter).
 */
export function ownChains({ bridge, id, addresses, nat }: ChainOptions): ChainSet {
  const comes = `iifname != ${quoted(bridge)} oifname ${quoted(bridge)}`
  const goes = `iifname ${quoted(bridge)} oifname != ${quoted(bridge)}`
  const reject = 'reject with icmpx admin-prohibited'
  const subnets = addresses.map((address) => ({ ...address, text: networkOf(address) }))
  const forward = [
    ...(nat ? [`${comes} ct state established,related accept`] : []),
    `${comes} ${reject}`,
    ...(nat ? subnets.map(({ family, text }) => `${goes} ${ipOf(family)} saddr ${text} accept`) : []),
    `${goes} ${reject}`,
  ]
  const postrouting = subnets.map(
    ({ family, text }) =>
      `oifname != ${quoted(bridge)} ${ipOf(family)} saddr ${text} ${ipOf(family)} daddr != ${groups[family]} masquerade`,
  )
  const mark = markOf(id)
  const chains = [
    chainText(chainName('forward', bridge), ['filter', 'forward', 'filter'], { mark, rules: forward }),
    ...(nat
      ? [
          chainText(chainName('postrouting', bridge), ['nat', 'postrouting', 'srcnat'], {
            mark,
            rules: postrouting,
          }),
        ]
      : []),
  ]
  return { bridge, id, text: chains.join('\n\n'), listed: false }
}

const ipOf = (family: Family): string => (family === 4 ? 'ip' : 'ip6')

/** Groups are for the bridge alone; a router would not pass them on. */
const groups: Readonly<Record<Family, string>> = { 4: '{ 224.0.0.0/4, 255.255.255.255 }', 6: 'ff00::/8' }

/** A * at the end would stand for any ending. */
const quoted = (name: string): string => `"${name.replace(/\*$/u, '\\*')}"`

const chainText = (
  name: string,
  [type, hook, priority]: readonly [string, string, string],
  { mark, rules }: { readonly mark: string; readonly rules: readonly string[] },
): string =>
  [
    `\tchain ${name} {`,
    `\t\tcomment "${mark}"`,
    `\t\ttype ${type} hook ${hook} priority ${priority}; policy accept;`,
    ...rules.map((rule) => `\t\t${rule}`),
    '\t}',
  ].join('\n')

/** What was listed differs by its text; what brup wrote is there as soon as a set of that run is, since nft loads all or nothing. */
export const isSameSet = (a: ChainSet | undefined, b: ChainSet | undefined): boolean =>
  a?.id === b?.id && (a?.listed !== true || b?.listed !== true || a.text === b.text)

const hooks = ['forward', 'postrouting']

/** A chain that is not there cannot be deleted, but be made first (nft before 1.0.7 has no `destroy`). */
const withoutChains = (bridge: string): readonly string[] => [
  `add table inet ${tableName}`,
  ...hooks.flatMap((hook) => {
    const name = `inet ${tableName} ${chainName(hook, bridge)}`
    return [`add chain ${name}`, `delete chain ${name}`]
  }),
]

/** In place of what the bridge has, at one stroke. */
export const loadText = ({ bridge, text }: ChainSet): string =>
  [...withoutChains(bridge), `table inet ${tableName} {`, text, '}'].join('\n')

/** The table goes with the last of its chains. */
export const removalText = (bridge: string, isLast: boolean): string =>
  [...withoutChains(bridge), ...(isLast ? [`delete table inet ${tableName}`] : [])].join('\n')
