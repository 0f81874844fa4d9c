import type { Family } from '../names.ts'
import {
  addressesOf,
  findLink,
  sysctlOf,
  type Address,
  type Link,
  type NetworkState,
  type Neighbour,
  type Route,
  type Rule,
  type Sysctl,
} from '../state.ts'
import { servedBy, type Serving } from './dnsmasq.ts'
import { ruleNames, type Sides } from './footprint.ts'
import { advertisementsOf, originsOf, type Advertisements } from './origins.ts'
import { permanentRoutes } from './permanent-routes.ts'

/** A bridge with all that a configuration needs to make it again at the next boot, and nothing of the moment. */
export interface Permanent {
  readonly bridge: string
  readonly mac: string
  readonly mtu: number
  readonly stp: boolean
  /** The VLAN of a port that joins; `undefined` where the bridge does not look at tags. */
  readonly defaultVlan: number | undefined
  readonly uplink: Pick<Link, 'name' | 'mtu' | 'kind'> | undefined
  /** Those that nobody gives it, in order. */
  readonly addresses: readonly Address[]
  /** The families for which it asks a DHCP server. */
  readonly dhcp: readonly Family[]
  /** Of the default route that came with the lease. */
  readonly dhcpMetric: number | undefined
  readonly ipv6: Ipv6
  /** Those that nobody makes by himself. */
  readonly routes: readonly Route[]
  readonly rules: readonly Rule[]
  readonly neighbours: readonly Neighbour[]
  /** Settings under /proc/sys that are not as a new link has them. */
  readonly settings: readonly Sysctl[]
  /** The families in which its guests are hidden behind the host's addresses. */
  readonly nat: readonly Family[]
  readonly serving: Serving | undefined
  /** What no configuration of a network carries. */
  readonly notes: readonly string[]
}

interface Ipv6 {
  readonly isOn: boolean
  readonly hasLinkLocal: boolean
  readonly advertised: Advertisements
  /** Addresses are made from advertised prefixes. */
  readonly autoconf: boolean
  /** use_tempaddr: 0 none, 1 made, 2 preferred. */
  readonly privacy: number
}

export interface PermanentOptions {
  readonly sides: Sides
  readonly nat: boolean
  /** `tcp 8080 192.168.40.9:80` */
  readonly forwards: readonly string[]
}

/** What is permanent of the host on the bridge. */
export function permanentOf(state: NetworkState, options: PermanentOptions): Permanent {
  const { sides, nat } = options
  const { bridge } = sides
  const link = findLink(state, bridge)
  if (link === undefined) throw new Error(`no link ${bridge}`)
  const uplink = findLink(state, sides.uplink)
  const origins = originsOf(state, sides)
  const { routes, notes, dhcpMetric } = permanentRoutes(state, bridge, origins)
  const { mac, mtu, stp, defaultVlan } = link
  return {
    ...{ bridge, mac, mtu, stp, defaultVlan },
    uplink: uplink && { name: uplink.name, mtu: uplink.mtu, kind: uplink.kind },
    addresses: origins.own,
    dhcp: origins.dhcp,
    dhcpMetric,
    ipv6: ipv6Of(state, link),
    routes,
    rules: rulesOf(state, sides, routes),
    neighbours: state.neighbours.filter(({ dev }) => dev === bridge),
    settings: settingsOf(state, bridge),
    nat: ([4, 6] as const).filter((each) => nat && origins.own.some(({ family }) => family === each)),
    serving: state.dnsmasq && servedBy(state.dnsmasq),
    notes: [...origins.notes, ...notes, ...guestNotes(state, options)],
  }
}

function ipv6Of(state: NetworkState, { name: dev, carrier }: Link): Ipv6 {
  const value = (key: string): string | undefined => sysctlOf(state, { family: 6, dev, key })
  return {
    isOn: value('disable_ipv6') !== '1',
    // Without carrier there is none yet.
    hasLinkLocal:
      addressesOf(state, dev).some(({ family, scope }) => family === 6 && scope === 'link') ||
      (!carrier && value('addr_gen_mode') !== '1'),
    advertised: advertisementsOf(state, dev),
    autoconf: value('autoconf') !== '0',
    privacy: Math.max(0, Number(value('use_tempaddr') ?? 0)),
  }
}

/** Those that name one of the links, or look into a table that has routes by the bridge. */
function rulesOf({ rules }: NetworkState, sides: Sides, routes: readonly Route[]): readonly Rule[] {
  const devs = [sides.uplink, sides.bridge].filter((name) => name !== undefined)
  const tables = new Set(routes.map(({ table }) => table).filter((table) => table !== 'main'))
  const looksThere = ({ words }: Rule): boolean =>
    words.some((word, i) => words[i - 1] === 'table' && tables.has(word))
  return rules.filter((rule) => ruleNames(rule, devs) || looksThere(rule))
}

/** Each kind has words of its own for these, or they follow from others. */
const handled = new Set(
  'mtu addr_gen_mode stable_secret disable_ipv6 accept_ra autoconf use_tempaddr forwarding'.split(' '),
)

const settingsOf = (state: NetworkState, bridge: string): readonly Sysctl[] =>
  state.sysctls.filter(
    (item) =>
      item.dev === bridge &&
      !handled.has(item.key) &&
      item.value !== sysctlOf(state, { ...item, dev: 'default' }),
  )

/** What is about guests and not about the link. */
function guestNotes(state: NetworkState, { sides, nat, forwards }: PermanentOptions): readonly string[] {
  const { firewall } = state
  const { bridge, uplink } = sides
  const rules = firewall?.rules.length ?? 0
  const zone = firewall?.firewalld?.zones.find(({ dev }) => dev === bridge)?.zone
  const closed = nat ? 'what others send them uninvited' : 'all that would be routed'
  return [
    ...(uplink === undefined
      ? [`not carried: the chains of nftables that keep from its guests ${closed}`]
      : []),
    ...forwards.map((forward) => `not carried: the published port ${forward}`),
    ...(rules > 0 ? [`not carried: what lets guests through the host's firewall (${rules} rules)`] : []),
    ...(zone === undefined
      ? []
      : [
          `not carried: the zone ${zone} of firewalld (firewall-cmd --permanent --zone=${zone} --change-interface=${bridge})`,
        ]),
  ]
}
