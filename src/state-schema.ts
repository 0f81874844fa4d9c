import * as v from 'valibot'
import type { NetworkState } from './state.ts'

/** A NetworkState as a journal holds it: JSON leaves out what is `undefined`. */

const text = v.optional(v.string())
const count = v.optional(v.number())
const words = v.array(v.string())
export const familySchema = v.picklist([4, 6])
const family = familySchema

const port = v.object({
  isolated: v.boolean(),
  hairpin: v.boolean(),
  learning: v.boolean(),
  flood: v.boolean(),
  macs: words,
  vlans: v.array(v.object({ vid: v.number(), pvid: v.boolean(), untagged: v.boolean() })),
})

const link = v.object({
  index: v.number(),
  name: v.string(),
  mac: v.string(),
  mtu: v.number(),
  up: v.boolean(),
  carrier: v.boolean(),
  loopback: v.boolean(),
  type: v.string(),
  kind: text,
  master: text,
  masterKind: text,
  lower: text,
  alias: text,
  tunType: text,
  stp: v.boolean(),
  defaultVlan: count,
  filtered: v.optional(v.array(family), []),
  port: v.optional(port),
})

const address = v.object({
  family,
  dev: v.string(),
  local: v.string(),
  peer: text,
  prefixLength: v.number(),
  broadcast: text,
  anycast: text,
  scope: v.string(),
  label: text,
  metric: count,
  protocol: text,
  flags: words,
  status: words,
  validUntil: count,
  preferredUntil: count,
})

const hop = v.object({
  dev: text,
  gateway: text,
  viaFamily: v.optional(family),
  weight: count,
  onlink: v.boolean(),
})

const route = v.object({
  family,
  type: v.string(),
  table: v.string(),
  dst: v.string(),
  from: text,
  tos: text,
  protocol: v.string(),
  scope: v.string(),
  metric: v.number(),
  source: text,
  hops: v.array(hop),
  nhid: count,
  metrics: v.array(words),
  preference: text,
  realm: text,
  expiresAt: count,
  unknown: words,
})

const rule = v.object({ family, priority: v.number(), iif: text, oif: text, words, unknown: words })

const nexthop = v.object({
  id: v.number(),
  family,
  dev: text,
  group: v.array(v.object({ id: v.number(), weight: v.number() })),
  words,
  unknown: words,
})

const neighbour = v.object({
  family,
  dev: v.string(),
  dst: v.string(),
  mac: text,
  proxy: v.boolean(),
  router: v.boolean(),
})

export const clientSchema = v.object({
  name: v.picklist(['dhclient', 'dhcpcd', 'udhcpc']),
  families: v.array(family),
  dev: v.string(),
  path: v.string(),
  words,
  env: v.record(v.string(), v.string()),
  confined: v.boolean(),
  ended: v.optional(v.boolean()),
  pausing: v.optional(v.boolean()),
})

const manager = v.object({
  uplink: v.optional(
    v.object({
      managed: v.boolean(),
      autoconnect: v.boolean(),
      profile: text,
      forgotten: v.optional(v.boolean()),
    }),
  ),
  told: text,
  silent: v.optional(v.boolean()),
})
const resolvedLink = v.object({ dev: v.string(), settings: v.record(v.string(), words) })

export const sysctlSchema = v.object({ family, dev: v.string(), key: v.string(), value: v.string() })

const firewall = v.object({
  problem: text,
  bridged: v.array(family),
  closed: v.array(
    v.object({
      tool: v.string(),
      name: v.string(),
      hook: v.picklist(['forward', 'input']),
      families: v.array(family),
      before: count,
    }),
  ),
  rules: v.array(v.object({ tool: v.string(), chain: v.string(), text: v.string(), handle: count })),
  firewalld: v.optional(
    v.object({ zones: v.array(v.object({ zone: v.string(), dev: v.string() })), defaultZone: v.string() }),
  ),
  guarded: text,
})

const chainSet = v.object({ bridge: v.string(), id: v.string(), text: v.string(), listed: v.boolean() })

export const stateSchema = v.pipe(
  v.object({
    links: v.array(link),
    addresses: v.array(address),
    routes: v.array(route),
    rules: v.array(rule),
    nexthops: v.array(nexthop),
    neighbours: v.array(neighbour),
    sysctls: v.array(sysctlSchema),
    routing: v.optional(
      v.object({ chains: v.optional(v.array(chainSet)), problem: text, forwarding: v.array(sysctlSchema) }),
    ),
    dnsmasq: v.optional(words),
    firewall: v.optional(firewall),
    clients: v.optional(v.array(clientSchema)),
    manager: v.optional(manager),
    networkd: v.optional(
      v.object({
        running: v.boolean(),
        units: v.array(v.object({ name: v.string(), text: v.string() })),
        managed: v.array(v.object({ dev: v.string(), file: v.string() })),
      }),
    ),
    resolved: v.optional(v.array(resolvedLink)),
    resolvconf: v.optional(v.array(v.object({ name: v.string(), text: v.string() }))),
  }),
  // An absent key and `undefined` read the same; the type asks for the latter.
  v.transform((state) => state as NetworkState),
)
