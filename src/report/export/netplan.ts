import type { Permanent } from '../../plan/permanent.ts'
import { textOf } from '../../plan/permanent-routes.ts'
import type { Address, Route, Rule } from '../../state.ts'
import { carried, leftOut, type Carried, type Exported } from './exported.ts'
import {
  addressFacts,
  carriedFacts,
  missingFacts,
  routeFacts,
  ruleFacts,
  translated,
  usualMetric,
  type Keys,
} from './facts.ts'
import { inOrder } from './order.ts'
import { settingsFile } from './settings.ts'
import { addressNotes, addressText, guestNotes, isPlain, neighbourNotes, ruleText } from './texts.ts'
import { yaml, type Yaml } from './yaml.ts'

/** The format of netplan 0.104 and later, for either of its renderers. */
export function netplan(permanent: Permanent): Exported {
  const { bridge, uplink } = permanent
  const { words, notes } = bridgeOf(permanent)
  const port = { dhcp4: false, dhcp6: false, 'link-local': [], mtu: uplink?.mtu }
  const network = {
    version: 2,
    ethernets: uplink !== undefined && isPlain(uplink) ? { [uplink.name]: port } : undefined,
    bridges: { [bridge]: words[0] ?? {} },
  }
  const text = `${yaml({ network }).join('\n')}\n`
  return {
    files: [{ path: `/etc/netplan/60-${bridge}.yaml`, mode: '0600', text }, ...settingsFile(permanent)],
    notes: [
      ...(uplink === undefined || isPlain(uplink)
        ? []
        : [`mind: ${uplink.name} is no Ethernet card; netplan needs it in another file`]),
      ...notes,
      ...neighbourNotes(permanent),
      ...guestNotes(permanent),
    ],
  }
}

function bridgeOf(permanent: Permanent): Carried<Yaml> {
  const { uplink, mac, mtu, stp, dhcp, dhcpMetric, ipv6 } = permanent
  const addresses = carried(inOrder(permanent.addresses), addressOf)
  const routes = carried(permanent.routes, routeOf)
  const rules = carried(permanent.rules, ruleOf)
  const written = {
    interfaces: uplink === undefined ? [] : [uplink.name],
    macaddress: mac,
    mtu: mtu,
    parameters: { stp: stp, 'forward-delay': stp ? undefined : 0 },
    addresses: some(addresses.words),
    dhcp4: dhcp.includes(4),
    'dhcp4-overrides': dhcpMetric === undefined ? undefined : { 'route-metric': dhcpMetric },
    'dhcp-identifier': dhcp.includes(4) ? 'mac' : undefined,
    dhcp6: dhcp.includes(6),
    'accept-ra': ipv6.isOn && ipv6.advertised !== 'ignored',
    'ipv6-privacy': ipv6.privacy > 0 ? true : undefined,
    'link-local': ipv6.isOn && ipv6.hasLinkLocal ? ['ipv6'] : [],
    routes: some(routes.words),
    'routing-policy': some(rules.words),
  }
  const listens = ipv6.advertised !== 'ignored' && !ipv6.autoconf
  return {
    words: [written],
    notes: [
      ...addresses.notes,
      ...routes.notes,
      ...rules.notes,
      ...(listens ? ['not carried: that no address is made from an advertised prefix'] : []),
    ],
  }
}

const some = (items: readonly Yaml[]): Yaml | undefined => (items.length === 0 ? undefined : items)

const addressKeys: Keys = { label: 'label', preferred_lft: 'lifetime' }

function addressOf(address: Address): Carried<Yaml> {
  const facts = addressFacts(address)
  const { names, isVital } = missingFacts(facts, addressKeys)
  const text = addressText(address)
  if (isVital) return leftOut(`the address ${text} with its peer`)
  const more = Object.fromEntries(
    translated(facts, addressKeys).map(([key, value]) => [key, asNumber(value)]),
  )
  return {
    words: [Object.keys(more).length === 0 ? text : { [text]: more }],
    notes: addressNotes(text, names),
  }
}

const asNumber = (text: string): string | number => (/^\d+$/.test(text) ? Number(text) : text)

const routeKeys: Keys = {
  gateway: 'via',
  onlink: 'on-link',
  type: 'type',
  table: 'table',
  scope: 'scope',
  src: 'from',
  mtu: 'mtu',
  initcwnd: 'congestion-window',
  initrwnd: 'advertised-receive-window',
}

function routeOf(route: Route): Carried<Yaml> {
  const facts = routeFacts(route)
  const { family, dst, metric } = route
  const any = family === 4 ? '0.0.0.0/0' : '::/0'
  return carriedFacts(`route ${textOf(route)}`, { facts, keys: routeKeys }, (words) => ({
    to: dst === 'default' ? any : withLength(dst, family),
    ...(facts.has('gateway') ? {} : { scope: 'link' }),
    ...Object.fromEntries(words.map(([key, value]) => [key, key === 'on-link' ? true : asNumber(value)])),
    metric: metric === usualMetric[family] ? undefined : metric,
  }))
}

const withLength = (dst: string, family: 4 | 6): string =>
  dst.includes('/') ? dst : `${dst}/${family === 4 ? 32 : 128}`

const ruleKeys: Keys = { from: 'from', to: 'to', tos: 'type-of-service', fwmark: 'mark', table: 'table' }

/** Part of a rule would be another one. */
function ruleOf(rule: Rule): Carried<Yaml> {
  const facts = ruleFacts(rule)
  const hasPrefix = facts.has('from') || facts.has('to')
  const isMasked = facts.get('fwmark')?.includes('/') === true
  return carriedFacts(`rule ${ruleText(rule)}`, { facts, keys: ruleKeys }, (words) =>
    words.length < facts.size || !hasPrefix || isMasked
      ? undefined
      : {
          ...Object.fromEntries(words.map(([key, value]) => [key, asMark(value)])),
          priority: rule.priority,
        },
  )
}

const asMark = (text: string): string | number => (/^(?:0x[0-9a-f]+|\d+)$/.test(text) ? Number(text) : text)
