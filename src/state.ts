import type { Firewall } from './firewall-state.ts'
import type { Family } from './names.ts'
import type { NetworkManager, Networkd, ResolvconfRecord, ResolvedLink, DhcpClient } from './owner-state.ts'

/**
 * What the kernel said about one network namespace at one moment. Never edited: observe again.
 * Order matters where the kernel's does: addresses per link, IPv4 routes of one prefix and metric, rules.
 */
export interface NetworkState {
  readonly links: readonly Link[]
  readonly addresses: readonly Address[]
  readonly routes: readonly Route[]
  readonly rules: readonly Rule[]
  readonly nexthops: readonly Nexthop[]
  /** Permanent and proxy entries, those that somebody made. */
  readonly neighbours: readonly Neighbour[]
  /** Per-interface settings under /proc/sys/net/ipv[46]/conf, of the links that were asked for. */
  readonly sysctls: readonly Sysctl[]
  /** `undefined` where nobody looked. */
  readonly routing: Routing | undefined
  /** The arguments of the dnsmasq that serves the guests of the bridge; `undefined`: there is none, or nobody looked. */
  readonly dnsmasq: readonly string[] | undefined
  /** `undefined` where nobody looked, or may. */
  readonly firewall: Firewall | undefined
  /** The DHCP clients of the uplink and of the bridge; `undefined` where nobody looked, or may. */
  readonly clients: readonly DhcpClient[] | undefined
  /** What NetworkManager has to do with the uplink; `undefined` where nobody looked, or may. */
  readonly manager: NetworkManager | undefined
  /** `undefined` where it does not run and left nothing of ours, or nobody looked, or may. */
  readonly networkd: Networkd | undefined
  /** What systemd-resolved was told of the uplink and of the bridge; `undefined` where it does not run, or nobody looked or may. */
  readonly resolved: readonly ResolvedLink[] | undefined
  /** What resolvconf has for the bridge; `undefined` where there is none, or nobody looked or may. */
  readonly resolvconf: readonly ResolvconfRecord[] | undefined
}

/** What decides which way guests have beyond a bridge that has no uplink. */
export interface Routing {
  /** The chains of each such bridge, in our own table of nftables; `undefined` where we may not look, or cannot. */
  readonly chains: readonly ChainSet[] | undefined
  /** Why we cannot. */
  readonly problem: string | undefined
  /** The settings that go with forwarding, of all links. */
  readonly forwarding: readonly Sysctl[]
}

export interface Link {
  readonly index: number
  readonly name: string
  readonly mac: string
  readonly mtu: number
  readonly up: boolean
  readonly carrier: boolean
  readonly loopback: boolean
  /** ARPHRD name: `ether`, `loopback`, `none`, … */
  readonly type: string
  /** rtnl_link_ops kind: `bridge`, `tun`, `veth`, …; hardware has none. */
  readonly kind: string | undefined
  /** The name of the link whose port this one is. */
  readonly master: string | undefined
  readonly masterKind: string | undefined
  /** The name of the link on top of which this one is built (vlan, macvlan, vxlan, …). */
  readonly lower: string | undefined
  readonly alias: string | undefined
  readonly tunType: string | undefined
  /** A bridge's spanning tree protocol. */
  readonly stp: boolean
  /** The VLAN of a port that joins, 0 for none; `undefined` where the bridge does not look at tags, or is none. */
  readonly defaultVlan: number | undefined
  /** The families whose frames a bridge shows to the firewall of itself, whatever is set for them all. */
  readonly filtered: readonly Family[]
  /** `undefined`: it is no port of a bridge. */
  readonly port: PortTraits | undefined
}

/** What a bridge does with the frames of one port. */
export interface PortTraits extends Required<PortFlags> {
  /** MAC addresses that the bridge was told are behind it; looked for where it learns none. */
  readonly macs: readonly string[]
  /** Those it takes part in, where the bridge looks at tags. */
  readonly vlans: readonly PortVlan[]
}

export interface PortFlags {
  /** It exchanges none with other isolated ports. */
  readonly isolated?: boolean
  /** It may get back what it sent. */
  readonly hairpin?: boolean
  /** Its senders' MAC addresses are remembered. */
  readonly learning?: boolean
  /** It gets what is for nobody known. */
  readonly flood?: boolean
}

export interface PortVlan {
  readonly vid: number
  /** Frames that come in without a tag are of this one. */
  readonly pvid: boolean
  /** Its frames go out without a tag. */
  readonly untagged: boolean
}

export interface Address {
  readonly family: Family
  readonly dev: string
  readonly local: string
  readonly peer: string | undefined
  readonly prefixLength: number
  readonly broadcast: string | undefined
  readonly anycast: string | undefined
  readonly scope: string
  readonly label: string | undefined
  readonly metric: number | undefined
  readonly protocol: string | undefined
  /** Configurable flags: home, nodad, mngtmpaddr, noprefixroute, autojoin. */
  readonly flags: readonly string[]
  /** What the kernel made of it: secondary, tentative, dadfailed, temporary. */
  readonly status: readonly string[]
  /** Seconds of CLOCK_BOOTTIME; `undefined` is for ever. */
  readonly validUntil: number | undefined
  readonly preferredUntil: number | undefined
}

export interface Hop {
  readonly dev: string | undefined
  readonly gateway: string | undefined
  /** Set where the gateway is of the other family (`via inet6 …`). */
  readonly viaFamily: Family | undefined
  readonly weight: number | undefined
  readonly onlink: boolean
}

export interface Route {
  readonly family: Family
  readonly type: string
  readonly table: string
  readonly dst: string
  readonly from: string | undefined
  readonly tos: string | undefined
  readonly protocol: string
  readonly scope: string
  /** 0 where IPv4 shows none. */
  readonly metric: number
  readonly source: string | undefined
  readonly hops: readonly Hop[]
  readonly nhid: number | undefined
  /** RTA_METRICS as words for `ip`: `['mtu', 'lock', '1400']`. */
  readonly metrics: readonly (readonly string[])[]
  readonly preference: string | undefined
  readonly realm: string | undefined
  /** Seconds of CLOCK_BOOTTIME. */
  readonly expiresAt: number | undefined
  /** Attributes that this program cannot write back; a route with any is never moved. */
  readonly unknown: readonly string[]
}

export interface Rule {
  readonly family: Family
  readonly priority: number
  readonly iif: string | undefined
  readonly oif: string | undefined
  /** Selector and action as words for `ip rule add`, without iif, oif and priority. */
  readonly words: readonly string[]
  readonly unknown: readonly string[]
}

export interface Nexthop {
  readonly id: number
  readonly family: Family
  readonly dev: string | undefined
  readonly group: readonly { readonly id: number; readonly weight: number }[]
  /** Everything but `id` and `dev`, as words for `ip nexthop`. */
  readonly words: readonly string[]
  readonly unknown: readonly string[]
}

export interface Neighbour {
  readonly family: Family
  readonly dev: string
  readonly dst: string
  readonly mac: string | undefined
  readonly proxy: boolean
  readonly router: boolean
}

export interface Sysctl {
  readonly family: Family
  readonly dev: string
  readonly key: string
  readonly value: string
}

/** What one bridge has in our table. */
export interface ChainSet {
  readonly bridge: string
  /** That of the run that made it. */
  readonly id: string
  /** The chains as `nft` reads them: as brup wrote them, or (`listed`) as nft lists them. */
  readonly text: string
  readonly listed: boolean
}

export const findLink = (state: Pick<NetworkState, 'links'>, name: string | undefined): Link | undefined =>
  state.links.find((link) => link.name === name)

/** Whether both states have this very link, not only one of its name. */
export const isSameLink = (name: string, a: NetworkState, b: NetworkState): boolean =>
  findLink(a, name)?.index === findLink(b, name)?.index

export const portsOf = (state: NetworkState, bridge: string): readonly Link[] =>
  state.links.filter((link) => link.master === bridge)

export const addressesOf = (state: NetworkState, dev: string): readonly Address[] =>
  state.addresses.filter((address) => address.dev === dev)

/** The value of one setting, `undefined` where the kernel has no such file or no value. */
export const sysctlOf = (
  state: Pick<NetworkState, 'sysctls'>,
  at: Omit<Sysctl, 'value'>,
): string | undefined =>
  state.sysctls.find((item) => item.family === at.family && item.dev === at.dev && item.key === at.key)?.value
