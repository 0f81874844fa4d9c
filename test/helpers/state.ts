import type { Address, Link, NetworkState, Route, Rule } from '../../src/state.ts'

/** NetworkStates in few words, for tests of what is pure. */

export const link = (name: string, more: Partial<Link> = {}): Link => ({
  index: 2,
  name,
  mac: '02:00:00:00:00:01',
  mtu: 1500,
  up: true,
  carrier: true,
  loopback: false,
  type: 'ether',
  kind: 'veth',
  master: undefined,
  masterKind: undefined,
  lower: undefined,
  alias: undefined,
  tunType: undefined,
  stp: false,
  defaultVlan: undefined,
  filtered: [],
  port: undefined,
  ...more,
})

export const address = (cidr: string, dev: string, more: Partial<Address> = {}): Address => {
  const [local = '', length] = cidr.split('/')
  const family = local.includes(':') ? 6 : 4
  return {
    family,
    dev,
    local,
    peer: undefined,
    prefixLength: Number(length),
    broadcast: undefined,
    anycast: undefined,
    scope: local.startsWith('fe80') ? 'link' : 'global',
    label: family === 4 ? dev : undefined,
    metric: undefined,
    protocol: undefined,
    flags: [],
    status: [],
    validUntil: undefined,
    preferredUntil: undefined,
    ...more,
  }
}

/** `route('default', 'eth0', '192.168.1.1')`; the family is that of the gateway, or of the destination. */
export const route = (dst: string, dev: string, gateway?: string, more: Partial<Route> = {}): Route => {
  const family = (gateway ?? dst).includes(':') ? 6 : 4
  return {
    family,
    type: 'unicast',
    table: 'main',
    dst,
    from: undefined,
    tos: undefined,
    protocol: 'boot',
    scope: family === 4 && gateway === undefined ? 'link' : 'global',
    metric: family === 4 ? 0 : 1024,
    source: undefined,
    hops: [{ dev, gateway, viaFamily: undefined, weight: undefined, onlink: false }],
    nhid: undefined,
    metrics: [],
    preference: family === 4 ? undefined : 'medium',
    realm: undefined,
    expiresAt: undefined,
    unknown: [],
    ...more,
  }
}

/** The prefix route that the kernel makes for an address. */
export const prefixRoute = (dst: string, dev: string, source?: string): Route =>
  route(dst, dev, undefined, {
    protocol: 'kernel',
    metric: source === undefined ? 256 : 0,
    source,
  })

export const rule = (priority: number, more: Partial<Rule> = {}): Rule => ({
  family: 4,
  priority,
  iif: undefined,
  oif: undefined,
  words: ['table', '100'],
  unknown: [],
  ...more,
})

const state = (parts: Partial<NetworkState>): NetworkState => ({
  links: [link('lo', { index: 1, loopback: true, type: 'loopback', kind: undefined }), link('eth0')],
  addresses: [],
  routes: [],
  rules: [],
  nexthops: [],
  neighbours: [],
  sysctls: [],
  routing: undefined,
  dnsmasq: undefined,
  firewall: undefined,
  clients: undefined,
  manager: undefined,
  networkd: undefined,
  resolved: undefined,
  resolvconf: undefined,
  ...parts,
})

/** A host with one address of each family and a default route by each. */
export const plainHost = (): NetworkState =>
  state({
    addresses: [
      address('192.168.1.50/24', 'eth0'),
      address('fd01::50/64', 'eth0'),
      address('fe80::1/64', 'eth0'),
    ],
    routes: [
      route('default', 'eth0', '192.168.1.1'),
      prefixRoute('192.168.1.0/24', 'eth0', '192.168.1.50'),
      prefixRoute('fd01::/64', 'eth0'),
      prefixRoute('fe80::/64', 'eth0'),
      route('default', 'eth0', 'fd01::1'),
    ],
    sysctls: ['all', 'default', 'eth0'].flatMap((dev) => [
      { family: 4, dev, key: 'ignore_routes_with_linkdown', value: '0' },
      { family: 4, dev, key: 'rp_filter', value: dev === 'eth0' ? '2' : '0' },
      { family: 6, dev, key: 'ignore_routes_with_linkdown', value: '0' },
      { family: 6, dev, key: 'accept_dad', value: dev === 'all' ? '0' : '1' },
      { family: 6, dev, key: 'addr_gen_mode', value: '0' },
    ]),
  })
