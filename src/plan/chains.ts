import { endpointText, networkOf, type Cidr, type Family, type Forward } from '../names.ts'
import type { ChainSet } from '../state.ts'
import { chainName, quotedName, tableName } from '../nft-names.ts'
import { markOf } from './marks.ts'

/** What a bridge without an uplink has in nftables, in the words in which nft lists it. */

interface ChainOptions {
  readonly bridge: string
  readonly id: string
  readonly addresses: readonly Cidr[]
  readonly nat: boolean
  readonly forwards: readonly Forward[]
}

/**
 * Nothing is routed to the guests that they did not ask for but what is published, nor from them but what NAT hides behind the
 * host's addresses; without NAT, nothing at all. What they send each other does not come by here, or comes from the bridge
 * (br_netfilter).
 */
export function ownChains(options: ChainOptions): ChainSet {
  const { bridge, id, nat } = options
  const rules: Readonly<Record<Hook, readonly string[]>> = {
    forward: forwardRules(options),
    postrouting: nat ? masqueradeRules(options) : [],
    prerouting: options.forwards.map((forward) => `iifname != ${quotedName(bridge)} ${publishText(forward)}`),
    output: options.forwards.map((forward) => `${notLoopback[forward.to.family]} ${publishText(forward)}`),
  }
  const chains = hooks
    .filter((hook) => rules[hook].length > 0)
    .map((hook) =>
      [
        `\tchain ${chainName(hook, bridge)} {`,
        `\t\tcomment "${markOf(id)}"`,
        `\t\ttype ${places[hook]}; policy accept;`,
        ...rules[hook].map((rule) => `\t\t${rule}`),
        '\t}',
      ].join('\n'),
    )
  return { bridge, id, text: chains.join('\n\n'), listed: false }
}

const hooks = ['forward', 'postrouting', 'prerouting', 'output'] as const
type Hook = (typeof hooks)[number]

const places: Readonly<Record<Hook, string>> = {
  forward: 'filter hook forward priority filter',
  postrouting: 'nat hook postrouting priority srcnat',
  prerouting: 'nat hook prerouting priority dstnat',
  output: 'nat hook output priority -100',
}

function forwardRules({ bridge, addresses, nat, forwards }: ChainOptions): readonly string[] {
  const comes = `iifname != ${quotedName(bridge)} oifname ${quotedName(bridge)}`
  const goes = `iifname ${quotedName(bridge)} oifname != ${quotedName(bridge)}`
  const reject = 'reject with icmpx admin-prohibited'
  const outward = addresses.map((cidr) => `${goes} ${ipOf[cidr.family]} saddr ${networkOf(cidr)} accept`)
  return [
    ...(nat ? [`${comes} ct state established,related accept`] : []),
    ...forwards.map(({ protocol, to }) => {
      const where = `${ipOf[to.family]} daddr ${to.text} ${protocol} dport ${to.port}`
      return `${comes} ${where} ct status dnat accept`
    }),
    `${comes} ${reject}`,
    ...(nat ? outward : []),
    `${goes} ${reject}`,
  ]
}

const masqueradeRules = ({ bridge, addresses }: ChainOptions): readonly string[] =>
  addresses.map((cidr) => {
    const ip = ipOf[cidr.family]
    return `oifname != { ${quotedName(bridge)}, "lo" } ${ip} saddr ${networkOf(cidr)} ${ip} daddr != ${groups[cidr.family]} masquerade`
  })

const publishText = ({ protocol, port, to }: Forward): string =>
  `fib daddr type local ${protocol} dport ${port} dnat ${ipOf[to.family]} to ${endpointText(to)}`

const ipOf: Readonly<Record<Family, string>> = { 4: 'ip', 6: 'ip6' }

/** Groups are for the bridge alone; a router would not pass them on. */
const groups: Readonly<Record<Family, string>> = { 4: '{ 224.0.0.0/4, 255.255.255.255 }', 6: 'ff00::/8' }

/** What comes from a loopback address finds no way back. */
const notLoopback: Readonly<Record<Family, string>> = { 4: 'ip daddr != 127.0.0.0/8', 6: 'ip6 daddr != ::1' }

/** What was listed differs by its text; what brup wrote is there as soon as a set of that run is, since nft loads all or nothing. */
export const isSameSet = (a: ChainSet | undefined, b: ChainSet | undefined): boolean =>
  a?.id === b?.id && (a?.listed !== true || b?.listed !== true || a.text === b.text)

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
