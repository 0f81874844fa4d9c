import type { Lab } from '../lab/lab.ts'

type Json = Record<string, unknown>

export interface Sight {
  readonly eth0: Json
  readonly br0: Json | undefined
  readonly addresses: Readonly<Record<'eth0' | 'br0', readonly string[]>>
  /** One text for each thing, in the order of the kernel or sorted where it means nothing. */
  readonly lists: Readonly<Record<string, readonly string[]>>
  readonly sysctls: ReadonlyMap<string, string>
}

const commands = {
  link: 'ip -d -j addr show',
  route: 'ip -4 -d -j route show table all',
  route6: 'ip -6 -d -j route show table all',
  rule: 'ip -4 -d -j rule show',
  rule6: 'ip -6 -d -j rule show',
  nexthop: 'ip -d -j nexthop show',
  neighbour: 'ip -d -j neigh show nud permanent',
  proxy: 'ip -d -j neigh show proxy',
  sysctl: 'cd /proc/sys/net && grep -rs "" ipv4/conf ipv6/conf; true',
} as const

const mark = '=== '
const script = Object.entries(commands)
  .map(([name, command]) => `echo; echo '${mark}${name}'; ( ${command} )`)
  .join('\n')

/** Nobody but the kernel can set stable-privacy (inet6_rtm_newaddr() masks it). */
const volatile = new Set('used age users cache last_used error stable-privacy'.split(' '))

/** Finite lifetimes go on: only that they are finite is compared. */
const isLifetime = (key: string): boolean =>
  ['valid_life_time', 'preferred_life_time', 'expires'].includes(key)

const clean = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(clean)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([key]) => !volatile.has(key))
  return Object.fromEntries(
    entries
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [
        key,
        isLifetime(key) && typeof item === 'number' && item > 0 && item < 4294967295 ? 'finite' : clean(item),
      ]),
  )
}

const texts = (items: readonly unknown[]): string[] => items.map((item) => JSON.stringify(clean(item)))

/** The kernel's own multicast routes: a link that is up has one. */
const isMulticast = (route: Json): boolean =>
  route['dst'] === 'ff00::/8' && route['table'] === 'local' && route['protocol'] === 'kernel'

/**
 * A link-local address that the kernel made from a secret cannot be made by anyone else: where there is one, those of
 * the uplink may stay on it beside their copies, with their routes.
 */
const isLinkLocal = (item: Json, link: string): boolean =>
  item['dev'] === link &&
  (item['protocol'] === 'kernel' || item['table'] === 'local') &&
  /^fe80::/.test(String(item['dst']))

/** Routes of one place and metric have an order; the places among each other have none. */
const bySlot = (routes: readonly Json[]): readonly Json[] => {
  const slot = (route: Json): string =>
    ['table', 'dst', 'tos', 'metric'].map((key) => JSON.stringify(route[key])).join(' ')
  return [...routes].sort((a, b) => (slot(a) < slot(b) ? -1 : slot(a) > slot(b) ? 1 : 0))
}

function parseSysctls(text: string): Map<string, string> {
  const lines = text.split('\n').filter((each) => each !== '')
  return new Map(
    lines.map((each) => {
      const at = each.indexOf(':')
      return [each.slice(0, at), each.slice(at + 1)]
    }),
  )
}

export async function look(lab: Lab): Promise<Sight> {
  const text = await lab.ok('host', ['sh', '-c', script])
  const parts = new Map(
    text.split(`\n${mark}`).map((part) => {
      const [name = '', ...rest] = part.trimStart().replace(/^=== /, '').split('\n')
      return [name, rest.join('\n').trim()]
    }),
  )
  const list = (name: string): readonly Json[] => JSON.parse(parts.get(name) || '[]') as Json[]
  const links = list('link')
  const link = (name: string): Json | undefined => links.find((each) => each['ifname'] === name)
  const addressesOf = (name: string): readonly string[] =>
    texts((link(name)?.['addr_info'] as unknown[] | undefined) ?? [])
  const br0 = link('br0')
  return {
    eth0: link('eth0') ?? {},
    br0,
    addresses: { eth0: addressesOf('eth0'), br0: addressesOf('br0') },
    lists: {
      route: texts(bySlot(list('route'))),
      route6: texts(
        list('route6').filter((route) => !isMulticast(route) && !(br0 && isLinkLocal(route, 'eth0'))),
      ).sort(),
      rule: texts(list('rule')),
      rule6: texts(list('rule6')),
      nexthop: texts(list('nexthop')),
      neighbour: texts(list('neighbour')).sort(),
      proxy: texts(list('proxy')).sort(),
    },
    sysctls: parseSysctls(parts.get('sysctl') ?? ''),
  }
}
