import type { Family } from '../../names.ts'
import type { Permanent } from '../../plan/permanent.ts'
import { textOf } from '../../plan/permanent-routes.ts'
import type { Address, Route, Rule } from '../../state.ts'
import { carried, joined, leftOut, section, type Carried, type Exported } from './exported.ts'
import {
  addressFacts,
  missingFacts,
  routeFacts,
  ruleFacts,
  translated,
  usualMetric,
  type Keys,
} from './facts.ts'
import { settingsFile } from './settings.ts'
import { addressNotes, addressText, guestNotes, isPlain, neighbourNotes, ruleText } from './texts.ts'

/** nm-settings-keyfile(5), version 1.36 and later. */
export function networkManager(permanent: Permanent): Exported {
  const { bridge, uplink } = permanent
  const sides = ([4, 6] as const).map((family) => addressing(permanent, family))
  const folder = '/etc/NetworkManager/system-connections'
  const text = joined([...linkSections(permanent), ...sides.flatMap(({ words }) => words)])
  const port =
    uplink !== undefined && isPlain(uplink)
      ? [
          {
            path: `${folder}/${bridge}-${uplink.name}.nmconnection`,
            mode: '0600' as const,
            text: portFile(uplink, bridge),
          },
        ]
      : []
  return {
    files: [
      { path: `${folder}/${bridge}.nmconnection`, mode: '0600', text },
      ...port,
      ...settingsFile(permanent),
    ],
    notes: [
      ...(uplink === undefined || isPlain(uplink)
        ? []
        : [
            `mind: ${uplink.name} is no Ethernet card; its profile needs master=${bridge} and slave-type=bridge`,
          ]),
      ...sides.flatMap(({ notes }) => notes),
      ...neighbourNotes(permanent),
      ...guestNotes({ ...permanent, defaultVlan: undefined }),
    ],
  }
}

/** Others that fit the same link come after ours. */
const priority = ['autoconnect-priority', 100] as const

const linkSections = ({ bridge, mac, mtu, stp, defaultVlan }: Permanent): readonly string[] => [
  section('connection', [
    ['id', bridge],
    ['type', 'bridge'],
    ['interface-name', bridge],
    priority,
    ['autoconnect-slaves', 1],
  ]),
  section('ethernet', [
    ['cloned-mac-address', mac.toUpperCase()],
    ['mtu', mtu],
  ]),
  section('bridge', [
    ['stp', String(stp)],
    ['forward-delay', stp ? undefined : 0],
    ['vlan-filtering', defaultVlan === undefined ? undefined : 'true'],
    ['vlan-default-pvid', defaultVlan],
  ]),
]

const portFile = ({ name, mtu }: NonNullable<Permanent['uplink']>, bridge: string): string =>
  joined([
    section('connection', [
      ['id', `${bridge}-${name}`],
      ['type', 'ethernet'],
      ['interface-name', name],
      priority,
      ['master', bridge],
      ['slave-type', 'bridge'],
    ]),
    section('ethernet', [['mtu', mtu]]),
  ])

/** Of the routes that the kernel makes for addresses (IP6_RT_PRIO_ADDRCONF). */
const prefixMetric = { 4: 0, 6: 256 } as const

/** The section of one family. */
function addressing(permanent: Permanent, family: Family): Carried<string> {
  const { ipv6, dhcp, dhcpMetric } = permanent
  const ofFamily = (item: { readonly family: Family }): boolean => item.family === family
  const addresses = carried(permanent.addresses.filter(ofFamily), addressOf)
  const routes = carried(permanent.routes.filter(ofFamily), routeOf)
  const rules = carried(permanent.rules.filter(ofFamily), ruleOf)
  const numbered = addresses.words.map((text, i) => [`address${i + 1}`, text] as const)
  const isGiven = family === 4 ? dhcp.includes(4) : ipv6.advertised === 'used'
  const metric = isGiven ? (family === 4 ? dhcpMetric : usualMetric[6]) : prefixMetric[family]
  const own = family === 4 ? ipv4Method(permanent) : ipv6Method(permanent)
  const isSilent = family === 6 && ipv6.isOn && ipv6.advertised === 'heard' && own === 'manual'
  return {
    words: [
      section(`ipv${family}`, [
        ['method', own],
        ...numbered,
        ...routes.words.flatMap((lines, i) =>
          lines.map(([key, value]) => [key.replace('route', `route${i + 1}`), value] as const),
        ),
        ['route-metric', metric],
        ['dhcp-client-id', family === 4 && dhcp.includes(4) ? 'mac' : undefined],
        ...(family === 6 && own !== 'disabled'
          ? ([
              ['addr-gen-mode', 'eui64'],
              ['ip6-privacy', ipv6.privacy],
            ] as const)
          : []),
        ...rules.words.map((text, i) => [`routing-rule${i + 1}`, text] as const),
      ]),
    ],
    notes: [
      ...addresses.notes,
      ...routes.notes,
      ...rules.notes,
      ...(isSilent
        ? ['mind: it does not listen to routers any more, as the host does now; none advertises']
        : []),
    ],
  }
}

const ipv4Method = ({ dhcp, addresses }: Permanent): string =>
  dhcp.includes(4) ? 'auto' : addresses.some(({ family }) => family === 4) ? 'manual' : 'disabled'

function ipv6Method({ ipv6, dhcp, addresses }: Permanent): string {
  if (!ipv6.isOn) return 'disabled'
  if (ipv6.advertised === 'used') return 'auto'
  if (dhcp.includes(6)) return 'dhcp'
  return addresses.some(({ family }) => family === 6) ? 'manual' : 'link-local'
}

function addressOf(address: Address): Carried<string> {
  const { names, isVital } = missingFacts(addressFacts(address), {})
  const text = addressText(address)
  if (isVital) return leftOut(`the address ${text} with its peer`)
  return { words: [text], notes: addressNotes(text, names) }
}

const routeKeys: Keys = {
  gateway: '',
  onlink: 'onlink',
  type: 'type',
  table: 'table',
  scope: 'scope',
  from: 'from',
  tos: 'tos',
  src: 'src',
  ...{ mtu: 'mtu', 'mtu lock': 'lock-mtu', cwnd: 'cwnd', 'cwnd lock': 'lock-cwnd', window: 'window' },
  ...{
    initcwnd: 'initcwnd',
    initrwnd: 'initrwnd',
    advmss: 'advmss',
    quickack: 'quickack',
    rto_min: 'rto_min',
  },
}

const scopeNumbers: Readonly<Record<string, string>> = { global: '0', site: '200', link: '253', host: '254' }

/** Its lines, numbered when all are known. */
function routeOf(route: Route): Carried<readonly (readonly [string, string])[]> {
  const facts = routeFacts(route)
  const { names, isVital } = missingFacts(facts, routeKeys)
  if (isVital) return leftOut(`the route ${textOf(route)}`)
  const { family, dst, metric } = route
  const any = family === 4 ? '0.0.0.0/0' : '::/0'
  const to = dst === 'default' ? any : dst.includes('/') ? dst : `${dst}/${family === 4 ? 32 : 128}`
  const gateway = facts.get('gateway') ?? (family === 4 ? '0.0.0.0' : '::')
  const options = translated(facts, routeKeys).map(([key, value]) => `${key}=${optionValue(key, value)}`)
  const line = `${to},${gateway},${metric}`
  return {
    words: [
      [['route', line], ...(options.length === 0 ? [] : [['route_options', options.join(',')] as const])],
    ],
    notes: names.map((name) => `not carried: ${name} of the route ${textOf(route)}`),
  }
}

function optionValue(key: string, value: string): string {
  if (value === 'yes' || (key === 'quickack' && value === '1')) return 'true'
  if (key === 'scope') return scopeNumbers[value] ?? value
  return key === 'tos' ? String(Number(value)) : value.replace(/ms$/, '')
}

const ruleKeys: Keys = {
  ...{ not: '', from: '', to: '', tos: '', fwmark: '', iif: '', oif: '', ipproto: '', sport: '', dport: '' },
  ...{ uidrange: '', table: '', suppress_prefixlength: '', type: '' },
}

function ruleOf(rule: Rule): Carried<string> {
  const facts = ruleFacts(rule)
  const { isVital, names } = missingFacts(facts, ruleKeys)
  if (isVital || names.length > 0) return leftOut(`the rule ${ruleText(rule)}`)
  const words = [...facts].flatMap(([name, value]) => (name === 'not' ? ['not'] : [name, value]))
  const any = rule.family === 4 ? '0.0.0.0/0' : '::/0'
  const from = facts.has('from') || facts.has('to') ? [] : ['from', any]
  return { words: [['priority', rule.priority, ...from, ...words].join(' ')], notes: [] }
}
