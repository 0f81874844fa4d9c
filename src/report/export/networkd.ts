import type { Permanent } from '../../plan/permanent.ts'
import { textOf } from '../../plan/permanent-routes.ts'
import type { Address, Hop, Neighbour, Route, Rule } from '../../state.ts'
import { carried, joined, leftOut, section, yesNo, type Carried, type Exported } from './exported.ts'
import {
  addressFacts,
  carriedFacts,
  routeFacts,
  ruleFacts,
  translated,
  usualMetric,
  type Keys,
} from './facts.ts'
import { byServer, nameNotes, serverSections } from './networkd-server.ts'
import { settingsFile } from './settings.ts'
import { ruleText } from './texts.ts'

/** systemd.netdev(5) and systemd.network(5), version 249 and later. */
export function networkd(permanent: Permanent): Exported {
  const { bridge, uplink } = permanent
  const routes = carried(permanent.routes, routeSections)
  const rules = carried(permanent.rules, ruleSections)
  const neighbours = carried(permanent.neighbours, neighbourSections)
  const sections = [
    section('Match', [['Name', glob(bridge)]]),
    section('Link', [['RequiredForOnline', uplink === undefined ? 'no' : undefined]]),
    networkSection(permanent),
    ...byServer(permanent).map(addressSection),
    ...clientSections(permanent),
    ...routes.words,
    ...rules.words,
    ...neighbours.words,
    ...serverSections(permanent),
  ]
  const folder = '/etc/systemd/network'
  return {
    files: [
      { path: `${folder}/05-${bridge}.netdev`, mode: '0644', text: netdev(permanent) },
      {
        path: `${folder}/05-${bridge}.network`,
        mode: '0644',
        text: joined(sections),
      },
      ...(uplink === undefined
        ? []
        : [
            {
              path: `${folder}/05-${bridge}-${uplink.name}.network`,
              mode: '0644' as const,
              text: portFile(uplink, bridge),
            },
          ]),
      ...settingsFile(permanent),
    ],
    notes: [...routes.notes, ...rules.notes, ...neighbours.notes, ...nameNotes(permanent)],
  }
}

/** A name in a place where a pattern may stand. */
const glob = (name: string): string => name.replaceAll(/[*?[]/g, '[$&]')

const netdev = ({ bridge, mac, mtu, stp, defaultVlan }: Permanent): string =>
  joined([
    section('NetDev', [
      ['Name', bridge],
      ['Kind', 'bridge'],
      ['MACAddress', mac],
      ['MTUBytes', mtu],
    ]),
    section('Bridge', [
      ['STP', yesNo(stp)],
      // Without STP nobody waits for it, and the kernel takes it all the same.
      ['ForwardDelaySec', stp ? undefined : 0],
      ['VLANFiltering', defaultVlan === undefined ? undefined : 'yes'],
      ['DefaultPVID', defaultVlan === 0 ? 'none' : defaultVlan],
    ]),
  ])

const portFile = ({ name, mtu }: NonNullable<Permanent['uplink']>, bridge: string): string =>
  joined([
    section('Match', [['Name', glob(name)]]),
    section('Link', [['MTUBytes', mtu]]),
    section('Network', [
      ['Bridge', bridge],
      ['LinkLocalAddressing', 'no'],
      ['IPv6AcceptRA', 'no'],
    ]),
  ])

function networkSection(permanent: Permanent): string {
  const { uplink, dhcp, ipv6, nat, serving, neighbours } = permanent
  const families = nat.length === 2 ? 'both' : nat.length === 0 ? undefined : `ipv${nat[0] ?? 4}`
  const proxied = neighbours.filter(({ proxy, family }) => proxy && family === 6)
  return section('Network', [
    ['DHCP', dhcp.length === 2 ? 'yes' : dhcp.length === 0 ? undefined : `ipv${dhcp[0] ?? 4}`],
    ['LinkLocalAddressing', ipv6.isOn && ipv6.hasLinkLocal ? 'ipv6' : 'no'],
    ['IPv6AcceptRA', yesNo(ipv6.isOn && ipv6.advertised !== 'ignored')],
    ['IPv6PrivacyExtensions', ['no', 'prefer-public', 'yes'][ipv6.privacy]],
    // Guests come later than the host.
    ['ConfigureWithoutCarrier', uplink === undefined ? 'yes' : undefined],
    ['IPMasquerade', families],
    ['DHCPServer', serving === undefined ? undefined : 'yes'],
    ['IPv6SendRA', serving?.hasIpv6 === true ? 'yes' : undefined],
    ...proxied.map(({ dst }) => ['IPv6ProxyNDPAddress', dst] as const),
  ])
}

/** Such an identifier is the nearest to none; and the host asks nobody whom it does not ask now. */
const clientSections = ({ dhcp, dhcpMetric, ipv6 }: Permanent): readonly string[] => [
  ...(dhcp.includes(4)
    ? [
        section('DHCPv4', [
          ['ClientIdentifier', 'mac'],
          ['RouteMetric', dhcpMetric],
        ]),
      ]
    : []),
  ...(ipv6.isOn && ipv6.advertised !== 'ignored'
    ? [
        section('IPv6AcceptRA', [
          ['UseAutonomousPrefix', ipv6.autoconf ? undefined : 'no'],
          ['DHCPv6Client', dhcp.includes(6) ? undefined : 'no'],
        ]),
      ]
    : []),
]

const addressKeys: Keys = {
  peer: '',
  broadcast: 'Broadcast',
  label: 'Label',
  scope: 'Scope',
  metric: 'RouteMetric',
  preferred_lft: 'PreferredLifetime',
  noprefixroute: '',
  home: 'HomeAddress',
  autojoin: 'AutoJoin',
  mngtmpaddr: 'ManageTemporaryAddress',
  nodad: '',
}

function addressSection(address: Address): string {
  const { local, peer, prefixLength, flags } = address
  return section('Address', [
    ['Address', `${local}/${prefixLength}`],
    ['Peer', peer === undefined ? undefined : `${peer}/${prefixLength}`],
    ...translated(addressFacts(address), addressKeys),
    ['AddPrefixRoute', flags.includes('noprefixroute') ? 'no' : undefined],
    ['DuplicateAddressDetection', flags.includes('nodad') ? 'none' : undefined],
  ])
}

const routeKeys: Keys = {
  gateway: 'Gateway',
  via: '',
  onlink: 'GatewayOnLink',
  hops: '',
  type: 'Type',
  table: 'Table',
  scope: 'Scope',
  from: 'Source',
  src: 'PreferredSource',
  pref: 'IPv6Preference',
  mtu: 'MTUBytes',
  initcwnd: 'InitialCongestionWindow',
  initrwnd: 'InitialAdvertisedReceiveWindow',
  advmss: 'TCPAdvertisedMaximumSegmentSize',
  congctl: 'TCPCongestionControlAlgorithm',
  quickack: 'QuickAck',
}

function routeSections(route: Route): Carried<string> {
  const facts = routeFacts(route)
  const { family, dst, metric, hops } = route
  const many = hops.length > 1
  const any = family === 4 ? '0.0.0.0/0' : '::/0'
  return carriedFacts(`route ${textOf(route)}`, { facts, keys: routeKeys }, (words) =>
    many && hops.some(({ gateway }) => gateway === undefined)
      ? undefined
      : section('Route', [
          ['Destination', dst === 'default' ? (facts.has('gateway') ? undefined : any) : dst],
          ...words,
          ...(many ? hops.map(hopEntry) : []),
          ['Metric', metric === usualMetric[family] ? undefined : metric],
        ]),
  )
}

function hopEntry({ gateway, dev, weight }: Hop): readonly [string, string] {
  const at = dev === undefined ? '' : `@${dev}`
  return ['MultiPathRoute', `${gateway ?? ''}${at} ${weight ?? 1}`]
}

const ruleKeys: Keys = {
  not: 'InvertRule',
  from: 'From',
  to: 'To',
  iif: 'IncomingInterface',
  oif: 'OutgoingInterface',
  tos: 'TypeOfService',
  fwmark: 'FirewallMark',
  uidrange: 'User',
  ipproto: 'IPProtocol',
  sport: 'SourcePort',
  dport: 'DestinationPort',
  type: 'Type',
  table: 'Table',
  suppress_prefixlength: 'SuppressPrefixLength',
  suppress_ifgroup: 'SuppressInterfaceGroup',
}

function ruleSections(rule: Rule): Carried<string> {
  const facts = ruleFacts(rule)
  const hasPrefix = facts.has('from') || facts.has('to')
  return carriedFacts(`rule ${ruleText(rule)}`, { facts, keys: ruleKeys }, (words) =>
    section('RoutingPolicyRule', [
      ['Priority', rule.priority],
      ['Family', hasPrefix ? undefined : `ipv${rule.family}`],
      ...words,
    ]),
  )
}

function neighbourSections({ family, dst, mac, proxy }: Neighbour): Carried<string> {
  if (proxy) return family === 6 ? leftOut() : leftOut(`the proxy entry for ${dst}`)
  const entry = section('Neighbor', [
    ['Address', dst],
    ['LinkLayerAddress', mac],
  ])
  return { words: [entry], notes: [] }
}
