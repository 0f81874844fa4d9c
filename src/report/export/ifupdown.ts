import type { Family } from '../../names.ts'
import type { Permanent } from '../../plan/permanent.ts'
import type { Address, Route } from '../../state.ts'
import { sysctlPath } from '../../step.ts'
import { addressWords, neighbourWords, routeWords, ruleWords } from '../../words.ts'
import { quoted } from '../../shell.ts'
import type { Exported } from './exported.ts'
import { addressFacts, routeFacts, usualMetric } from './facts.ts'
import { inOrder } from './order.ts'
import { addressNotes, addressText, guestNotes } from './texts.ts'

/** interfaces(5) and bridge-utils-interfaces(5) of Debian: one stanza makes the bridge, the others give it what it has. */
export function ifupdown(permanent: Permanent): Exported {
  const { bridge } = permanent
  const stanzas = [bridgeStanza(permanent), ...ipv4Stanzas(permanent), ...ipv6Stanzas(permanent)]
  const last = stanzas.at(-1) ?? []
  const all = [...stanzas.slice(0, -1), [...last, ...commands(permanent)]]
  const text = [`auto ${bridge}\n`, ...all.map((lines) => `${lines.join('\n    ')}\n`)].join('\n')
  return {
    files: [{ path: `/etc/network/interfaces.d/${bridge}`, mode: '0644', text }],
    notes: [...broadcastNotes(permanent), ...guestNotes(permanent)],
  }
}

const broadcastNotes = ({ addresses }: Permanent): readonly string[] =>
  addresses
    .filter((address) => isUsual(address) && addressFacts(address).has('broadcast'))
    .flatMap((address) => addressNotes(addressText(address), ['broadcast']))

type Stanza = readonly string[]

const stanza = (bridge: string, what: string, lines: readonly (string | undefined)[]): Stanza => [
  `iface ${bridge} ${what}`,
  ...lines.filter((line) => line !== undefined),
]

function bridgeStanza({ bridge, uplink, mac, mtu, stp, ipv6, settings }: Permanent): Stanza {
  const off = { family: 6, dev: bridge, key: 'disable_ipv6', value: '1' } as const
  return stanza(bridge, 'inet manual', [
    `bridge_ports ${uplink?.name ?? 'none'}`,
    `bridge_hw ${mac}`,
    `bridge_stp ${stp ? 'on' : 'off'}`,
    // It would wait for the forwarding of its ports.
    ...(stp ? [] : ['bridge_fd 0', 'bridge_maxwait 0']),
    `mtu ${mtu}`,
    ...[...(ipv6.isOn ? [] : [off]), ...settings].map(
      (item) => `up sysctl -qw ${quoted(`${sysctlPath(item)}=${item.value}`)}`,
    ),
  ])
}

/** The options have no words for the rest. */
const isUsual = (address: Address): boolean =>
  [...addressFacts(address).keys()].every((name) => name === 'broadcast')

function ipv4Stanzas({ bridge, addresses, dhcp, dhcpMetric, routes }: Permanent): readonly Stanza[] {
  const own = addresses.filter((address) => address.family === 4 && isUsual(address))
  const leased = stanza(bridge, 'inet dhcp', [
    dhcpMetric === undefined || dhcpMetric === 0 ? undefined : `metric ${dhcpMetric}`,
  ])
  return [
    ...(dhcp.includes(4) ? [leased] : []),
    ...own.map(({ local, prefixLength }, i) =>
      stanza(bridge, 'inet static', [
        `address ${local}/${prefixLength}`,
        ...(i === 0 ? gatewayLines(routes, 4) : []),
      ]),
    ),
  ]
}

function ipv6Stanzas({ bridge, addresses, dhcp, ipv6, routes }: Permanent): readonly Stanza[] {
  const own = inOrder(addresses).filter((address) => address.family === 6 && isUsual(address))
  const listens = ipv6.advertised === 'ignored' ? 0 : 1
  const manners = [`accept_ra ${listens}`, `autoconf ${ipv6.autoconf ? 1 : 0}`]
  const privacy = `privext ${ipv6.privacy}`
  if (!ipv6.isOn) return []
  const asked = dhcp.includes(6) ? [stanza(bridge, 'inet6 dhcp', [...manners])] : []
  if (own.length === 0 && asked.length === 0) {
    const set = `up sysctl -qw net/ipv6/conf/${bridge}`
    return listens === 1 && ipv6.autoconf
      ? [stanza(bridge, 'inet6 auto', [`accept_ra ${listens}`, privacy])]
      : [
          stanza(bridge, 'inet6 manual', [
            `${set}/accept_ra=${listens}`,
            `${set}/autoconf=${ipv6.autoconf ? 1 : 0}`,
          ]),
        ]
  }
  return [
    ...asked,
    ...own.map(({ local, prefixLength }, i) =>
      stanza(bridge, 'inet6 static', [
        `address ${local}/${prefixLength}`,
        ...(i === 0 ? gatewayLines(routes, 6) : []),
        ...manners,
        privacy,
      ]),
    ),
  ]
}

const plainGateway = (routes: readonly Route[], family: Family): Route | undefined =>
  routes.find(
    (route) =>
      route.family === family &&
      route.dst === 'default' &&
      [...routeFacts(route).keys()].every((name) => name === 'gateway') &&
      route.hops[0]?.gateway !== undefined,
  )

function gatewayLines(routes: readonly Route[], family: Family): readonly string[] {
  const route = plainGateway(routes, family)
  if (route === undefined) return []
  const { metric, hops } = route
  return [
    `gateway ${hops[0]?.gateway ?? ''}`,
    ...(metric === usualMetric[family] ? [] : [`metric ${metric}`]),
  ]
}

/** What the options have no words for, once the addresses are there. */
function commands(permanent: Permanent): readonly string[] {
  const { addresses, routes, rules, neighbours } = permanent
  const told = new Set(
    ([4, 6] as const)
      .filter((family) => addresses.some((address) => address.family === family && isUsual(address)))
      .map((family) => plainGateway(routes, family)),
  )
  return [
    ...inOrder(addresses)
      .filter((address) => !isUsual(address))
      .map((address) => ipLine(address, ['addr', 'add', ...addressWords(address, 'addr.add', 0)])),
    ...routes
      .filter((route) => !told.has(route))
      .map((route) => ipLine(route, ['route', 'add', ...routeWords(route, 0)])),
    ...rules.map((rule) => ipLine(rule, ['rule', 'add', ...ruleWords(rule)])),
    // All else goes with the bridge.
    ...rules.map((rule) => ipLine(rule, ['rule', 'del', ...ruleWords(rule)], 'down')),
    ...neighbours.map((item) => ipLine(item, ['neigh', 'replace', ...neighbourWords(item, false)])),
  ]
}

const ipLine = ({ family }: { readonly family: Family }, words: readonly string[], when = 'up'): string =>
  [when, 'ip', ...(family === 6 ? ['-6'] : []), ...words.map(quoted)].join(' ')
