import type { Family } from '../names.ts'
import type { Address, Hop, Link, Neighbour, Nexthop, PortTraits, Route } from '../state.ts'
import type { RawAddress, RawHop, RawLink, RawNeighbour, RawNexthop, RawRoute } from './schema.ts'

/** The words of iproute2's JSON -> the parts of NetworkState. Pure; `now` is seconds of CLOCK_BOOTTIME. */

const forever = 4294967295
const settableFlags = ['home', 'nodad', 'mngtmpaddr', 'noprefixroute', 'autojoin']
const statusFlags = ['stable-privacy', 'secondary', 'tentative', 'dadfailed', 'temporary', 'optimistic']

export const parseLink = (raw: RawLink): Link => ({
  index: raw.ifindex,
  name: raw.ifname,
  mac: raw.address ?? '',
  mtu: raw.mtu,
  up: raw.flags.includes('UP'),
  carrier: raw.flags.includes('LOWER_UP'),
  loopback: raw.flags.includes('LOOPBACK'),
  type: raw.link_type ?? '',
  kind: raw.linkinfo?.info_kind,
  master: raw.master,
  masterKind: raw.linkinfo?.info_slave_kind,
  lower: raw.link ?? raw.linkinfo?.info_data?.link ?? undefined,
  alias: raw.ifalias,
  tunType: raw.linkinfo?.info_data?.type,
  stp: (raw.linkinfo?.info_data?.stp_state ?? 0) !== 0,
  defaultVlan: defaultVlanOf(raw),
  filtered: filteredFamilies(raw),
  port:
    raw.linkinfo?.info_slave_kind === 'bridge' ? parsePort(raw.linkinfo.info_slave_data ?? {}) : undefined,
})

function filteredFamilies({ linkinfo }: RawLink): readonly Family[] {
  const data = linkinfo?.info_data
  const calls = { 4: data?.nf_call_iptables, 6: data?.nf_call_ip6tables }
  return ([4, 6] as const).filter((family) => (calls[family] ?? 0) !== 0)
}

const defaultVlanOf = ({ linkinfo }: RawLink): number | undefined => {
  const data = linkinfo?.info_data
  return (data?.vlan_filtering ?? 0) === 0 ? undefined : (data?.vlan_default_pvid ?? 1)
}

/** What the bridge was told about the port is another look. */
const parsePort = (raw: Readonly<Record<string, unknown>>): PortTraits => ({
  isolated: raw['isolated'] === true,
  hairpin: raw['hairpin'] === true,
  learning: raw['learning'] !== false,
  flood: raw['flood'] !== false,
  macs: [],
  vlans: [],
})

export function parseAddress(raw: RawAddress, dev: string, now: number): Address {
  const family = familyOf(raw.family)
  return {
    family,
    dev,
    local: raw.local ?? raw.address ?? '',
    peer: raw.local === undefined ? undefined : raw.address,
    prefixLength: raw.prefixlen,
    broadcast: raw.broadcast,
    anycast: raw.anycast,
    scope: raw.scope,
    label: raw.label,
    metric: raw.metric,
    protocol: raw.protocol,
    flags: settableFlags.filter((name) => raw[name] === true),
    status: statusFlags.filter((name) => raw[name] === true),
    validUntil: until(raw.valid_life_time, now),
    // A permanent address shows `forever` also when it is deprecated (inet_fill_ifaddr()).
    preferredUntil: raw['deprecated'] === true ? 0 : until(raw.preferred_life_time, now),
  }
}

const familyOf = (name: string): Family => (name === 'inet6' ? 6 : 4)

/** A lifetime that is over stays over: 0, not the moment at which somebody looked. */
const until = (seconds: number | undefined, now: number): number | undefined =>
  seconds === undefined || seconds === forever ? undefined : seconds === 0 ? 0 : now + seconds

const knownRouteKeys = new Set(
  (
    'type dst from tos table protocol scope metric prefsrc nhid nh_info gateway via dev flags nexthops ' +
    'metrics pref flow expires error cache used users age'
  ).split(' '),
)
const knownHopKeys = new Set('gateway via dev weight flags'.split(' '))
/** What the kernel says of the moment; the rest of the flags is settable. */
const momentary = new Set(['linkdown', 'dead', 'offload', 'trap', 'offload_failed', 'pervasive'])

/** `locked`: the names of the metrics with a lock, which iproute2 shows in its text output only. */
export function parseRoute(
  raw: RawRoute,
  family: Family,
  at: { now: number; locked: readonly string[] },
): Route {
  const single = raw.dev !== undefined || raw.gateway !== undefined || raw.via !== undefined
  const raws: readonly RawHop[] = raw.nexthops ?? (single ? [raw] : [])
  return {
    family,
    type: raw.type,
    table: raw.table ?? 'main',
    dst: raw.dst,
    from: raw.from,
    tos: raw.tos,
    protocol: raw.protocol ?? 'boot',
    scope: raw.scope ?? 'global',
    metric: raw.metric ?? 0,
    source: raw.prefsrc,
    hops: raws.map((hop) => parseHop(hop, raw.nexthops !== undefined)),
    nhid: raw.nhid,
    metrics: raw.metrics.flatMap((set) =>
      Object.entries(set).map(([name, value]) => metricWords(name, value, at.locked)),
    ),
    preference: raw.pref,
    realm: realmOf(raw.flow),
    expiresAt: raw.expires === undefined ? undefined : at.now + raw.expires,
    unknown: unknownParts(raw),
  }
}

const parseHop = (hop: RawHop, weighted: boolean): Hop => ({
  dev: hop.dev,
  gateway: hop.gateway ?? hop.via?.host,
  viaFamily: hop.via === undefined ? undefined : familyOf(hop.via.family),
  weight: weighted ? (hop.weight ?? 1) : undefined,
  onlink: hop.flags.includes('onlink'),
})

const milliseconds = new Set(['rtt', 'rttvar', 'rto_min'])

/** `rto_min` is locked whenever it is given, and `ip` takes no word for it. */
function metricWords(
  name: string,
  value: number | string | null,
  locked: readonly string[],
): readonly string[] {
  if (name === 'ecn') return ['features', 'ecn']
  const word = name === 'congestion' ? 'congctl' : name
  const lock = locked.includes(word) && word !== 'rto_min' ? ['lock'] : []
  return [word, ...lock, milliseconds.has(name) ? `${String(value)}ms` : String(value)]
}

const realmOf = (flow: RawRoute['flow']): string | undefined =>
  flow === undefined ? undefined : [flow.from, flow.to].filter((part) => part !== undefined).join('/')

function unknownParts(raw: RawRoute): readonly string[] {
  const flags = [raw, ...(raw.nexthops ?? [])].flatMap((hop) => hop.flags)
  return [
    ...Object.keys(raw).filter((key) => !knownRouteKeys.has(key)),
    ...(raw.nexthops ?? []).flatMap((hop) => Object.keys(hop).filter((key) => !knownHopKeys.has(key))),
    ...flags.filter((name) => name !== 'onlink' && !momentary.has(name)),
  ]
}

const knownNexthopKeys = new Set('id gateway via dev group blackhole protocol scope flags'.split(' '))

/** `isIpv6`: whether `ip -6 nexthop` lists it too; an object without a gateway does not tell its family. */
export function parseNexthop(raw: RawNexthop, isIpv6: boolean): Nexthop {
  const words = [
    ...(raw.gateway === undefined ? [] : ['via', raw.gateway]),
    ...(raw.flags.includes('onlink') ? ['onlink'] : []),
    ...('blackhole' in raw ? ['blackhole'] : []),
    ...(raw.protocol === undefined || raw.protocol === 'unspec' ? [] : ['protocol', raw.protocol]),
  ]
  const bare = isIpv6 && raw.gateway === undefined && raw.group.length === 0
  return {
    id: raw.id,
    family: isIpv6 ? 6 : 4,
    dev: raw.dev,
    group: raw.group.map(({ id, weight }) => ({ id, weight: weight ?? 1 })),
    words,
    unknown: [
      ...Object.keys(raw).filter((key) => !knownNexthopKeys.has(key)),
      ...raw.flags.filter((name) => name !== 'onlink' && !momentary.has(name)),
      ...(bare ? ['ipv6-without-gateway'] : []),
    ],
  }
}

export const parseNeighbour = (raw: RawNeighbour): Neighbour => ({
  family: raw.dst.includes(':') ? 6 : 4,
  dev: raw.dev ?? '',
  dst: raw.dst,
  mac: raw.lladdr,
  proxy: 'proxy' in raw,
  router: 'router' in raw,
})
