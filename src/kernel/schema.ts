import * as v from 'valibot'

/** The JSON of `ip -d -j`, as far as this program reads it. Objects are loose: newer versions print more. */

const flag = v.optional(v.unknown())
const text = v.optional(v.string())
const count = v.optional(v.number())

const addressInfo = v.looseObject({
  family: v.string(),
  local: text,
  address: text,
  prefixlen: v.number(),
  broadcast: text,
  anycast: text,
  scope: v.string(),
  label: text,
  metric: count,
  protocol: text,
  valid_life_time: count,
  preferred_life_time: count,
})

const linkInfo = v.looseObject({
  info_kind: text,
  info_slave_kind: text,
  info_data: v.optional(
    v.looseObject({
      type: v.fallback(text, undefined),
      link: v.fallback(text, undefined),
      stp_state: v.fallback(count, undefined),
      vlan_filtering: v.fallback(count, undefined),
      vlan_default_pvid: v.fallback(count, undefined),
      nf_call_iptables: v.fallback(count, undefined),
      nf_call_ip6tables: v.fallback(count, undefined),
    }),
  ),
  info_slave_data: v.optional(v.looseObject({ isolated: flag, hairpin: flag, learning: flag, flood: flag })),
})

export const linkSchema = v.looseObject({
  ifindex: v.number(),
  ifname: v.string(),
  link: v.optional(v.nullable(v.string())),
  flags: v.array(v.string()),
  mtu: v.number(),
  master: text,
  address: text,
  ifalias: text,
  link_type: text,
  linkinfo: v.optional(linkInfo),
  addr_info: v.optional(v.array(v.union([addressInfo, v.strictObject({})])), []),
})

const hop = v.looseObject({
  gateway: text,
  via: v.optional(v.object({ family: v.string(), host: v.string() })),
  dev: text,
  weight: count,
  flags: v.optional(v.array(v.string()), []),
})

const metricValue = v.union([v.number(), v.string(), v.null()])

export const routeSchema = v.looseObject({
  ...hop.entries,
  type: v.string(),
  dst: v.string(),
  from: text,
  tos: text,
  table: text,
  protocol: text,
  scope: text,
  metric: count,
  prefsrc: text,
  nhid: count,
  nexthops: v.optional(v.array(hop)),
  metrics: v.optional(v.array(v.record(v.string(), metricValue)), []),
  pref: text,
  flow: v.optional(v.looseObject({ from: text, to: text })),
  expires: count,
})

export const ruleSchema = v.looseObject({
  priority: v.number(),
  not: flag,
  src: v.optional(v.string(), 'all'),
  srclen: count,
  dst: text,
  dstlen: count,
  tos: text,
  fwmark: text,
  fwmask: text,
  iif: text,
  oif: text,
  uid_start: count,
  uid_end: count,
  ipproto: text,
  sport: count,
  sport_start: count,
  sport_end: count,
  dport: count,
  dport_start: count,
  dport_end: count,
  table: text,
  suppress_prefixlen: count,
  suppress_ifgroup: text,
  flow_from: text,
  flow_to: text,
  goto: v.optional(v.union([v.number(), v.string()])),
  action: text,
  protocol: text,
})

export const nexthopSchema = v.looseObject({
  id: v.number(),
  gateway: text,
  dev: text,
  group: v.optional(v.array(v.looseObject({ id: v.number(), weight: count })), []),
  blackhole: flag,
  protocol: text,
  scope: text,
  flags: v.optional(v.array(v.string()), []),
})

export const neighbourSchema = v.looseObject({
  dst: v.string(),
  dev: text,
  lladdr: text,
  router: flag,
  proxy: flag,
  state: v.optional(v.array(v.string()), []),
})

/** Of `bridge -j fdb show`. */
export const fdbSchema = v.looseObject({ mac: v.string(), ifname: text, master: text, state: text })

/** Of `bridge -j vlan show`. */
export const portVlansSchema = v.looseObject({
  ifname: v.string(),
  vlans: v.array(
    v.looseObject({ vlan: v.number(), vlanEnd: count, flags: v.optional(v.array(v.string()), []) }),
  ),
})

export type RawLink = v.InferOutput<typeof linkSchema>
export type RawAddress = v.InferOutput<typeof addressInfo>
export type RawHop = v.InferOutput<typeof hop>
export type RawRoute = v.InferOutput<typeof routeSchema>
export type RawRule = v.InferOutput<typeof ruleSchema>
export type RawNexthop = v.InferOutput<typeof nexthopSchema>
export type RawNeighbour = v.InferOutput<typeof neighbourSchema>
