import { refusal, type CommandError } from '../errors.ts'
import { contains, networkOf, type Cidr } from '../names.ts'
import {
  addressesOf,
  findLink,
  portsOf,
  sysctlOf,
  type Link,
  type NetworkState,
  type Route,
} from '../state.ts'
import { tableName } from '../nft-names.ts'
import { nexthopWords, routeWords, ruleWords } from '../words.ts'
import { devsOf, objectsOn, ruleNames, type Move } from './footprint.ts'
import { touchedRoutes } from './goals.ts'
import { isOnDev, isPerLink } from './routes.ts'
import { chainsOf } from './routing.ts'

/** Why brup must not touch this uplink or this bridge: the first reason found, to be thrown before any change. */
export function brupRefusal(state: NetworkState, sides: Move): CommandError | undefined {
  const uplink = findLink(state, sides.uplink)
  if (uplink === undefined)
    return refusal(`there is no link ${sides.uplink}`, 'give --uplink IF; `ip link` shows what there is')
  return (
    uplinkRefusal(uplink, sides.bridge) ??
    upperRefusal(state, uplink) ??
    bridgeRefusal(state, sides.bridge) ??
    carrierRefusal(state, sides.bridge) ??
    contentRefusal(state, sides)
  )
}

function uplinkRefusal(link: Link, bridge: string): CommandError | undefined {
  const { name } = link
  const other = 'give another link with --uplink'
  if (link.loopback) return refusal(`${name} is the loopback link`, other)
  if (name === bridge) return refusal(`${name} cannot be its own uplink`, other)
  if (link.master !== undefined)
    return refusal(
      `${name} is already a port of ${link.master}`,
      link.masterKind === 'bridge' || link.masterKind === undefined
        ? `run brdown ${link.master} first, or take it out of ${link.master}`
        : `use ${link.master} as the uplink instead`,
    )
  if (link.kind === 'bridge') return refusal(`${name} is a bridge itself`, other)
  if (link.kind === 'tun')
    return refusal(`${name} is a ${link.tunType ?? 'tun'} device, a guest's end`, other)
  if (link.type !== 'ether') return refusal(`${name} is no Ethernet link (${link.type})`, other)
  if (!link.up) return refusal(`${name} is down`, `ip link set ${name} up`)
  return undefined
}

/** Links on top of the uplink that take its frames before a bridge could: the kernel answers EBUSY. */
const takers = new Set(['macvlan', 'macvtap', 'ipvlan', 'ipvtap', 'macsec'])
/** Tunnels bound to the uplink would look for their way out on a link that has no addresses any more. */
const tunnels = new Set(
  'vxlan geneve gre gretap ip6gre ip6gretap erspan ip6erspan ipip sit ip6tnl vti vti6 xfrm bareudp'.split(
    ' ',
  ),
)

function upperRefusal(state: NetworkState, { name }: Link): CommandError | undefined {
  const uppers = state.links.filter(({ lower }) => lower === name)
  const taker = uppers.find(({ kind }) => takers.has(kind ?? ''))
  if (taker !== undefined)
    return refusal(`${name} carries the ${taker.kind ?? ''} ${taker.name}`, `ip link del ${taker.name}`)
  const tunnel = uppers.find(({ kind }) => tunnels.has(kind ?? ''))
  if (tunnel !== undefined)
    return refusal(
      `the ${tunnel.kind ?? 'tunnel'} ${tunnel.name} is bound to ${name} and would lose its footing`,
      `make it without dev ${name}, or remove it: ip link del ${tunnel.name}`,
    )
  return undefined
}

const otherBridge = 'give brup the name of another bridge'

function bridgeRefusal(state: NetworkState, bridge: string): CommandError | undefined {
  const link = findLink(state, bridge)
  if (link === undefined) return undefined
  if (link.kind !== 'bridge') return refusal(`${bridge} exists and is no bridge`, otherBridge)
  const addresses = addressesOf(state, bridge).filter(({ scope }) => scope !== 'link')
  if (addresses.length > 0)
    return refusal(
      `${bridge} was not made by brup and has addresses (${addresses.map(({ local }) => local).join(', ')})`,
      `it belongs to somebody else; ${otherBridge}`,
    )
  const client = state.clients?.find(({ dev }) => dev === bridge)
  if (client !== undefined)
    return refusal(
      `${bridge} was not made by brup and has a DHCP client of its own (${client.name})`,
      `end it, or ${otherBridge}`,
    )
  if (link.stp)
    return refusal(
      `${bridge} has STP on, so that its port would not forward for half a minute`,
      `ip link set ${bridge} type bridge stp_state 0, or ${otherBridge}`,
    )
  return undefined
}

function carrierRefusal(state: NetworkState, bridge: string): CommandError | undefined {
  const live = portsOf(state, bridge).find(({ carrier }) => carrier)
  if (live !== undefined)
    return refusal(
      `${bridge} has carrier by its port ${live.name}, so its routes would win before the switch`,
      `ip link set ${live.name} nomaster, or ${otherBridge}`,
    )
  return undefined
}

/** Why a bridge without an uplink must not be made, or get these addresses. */
export function ownBridgeRefusal(
  state: NetworkState,
  bridge: string,
  addresses: readonly Cidr[],
): CommandError | undefined {
  return (
    bridgeRefusal(state, bridge) ?? chainsRefusal(state, bridge) ?? overlapRefusal(state, bridge, addresses)
  )
}

function chainsRefusal({ routing }: NetworkState, bridge: string): CommandError | undefined {
  if (routing?.problem !== undefined)
    return refusal(`the firewall cannot be read: ${routing.problem}`, 'look what nft list ruleset says')
  const strangers = chainsOf(routing, bridge)
  return strangers === undefined
    ? undefined
    : refusal(
        `the table inet ${tableName} has chains for ${bridge}, which is not up`,
        `nft delete table inet ${tableName}, if no other bridge needs it`,
      )
}

/** A subnet that the host knows already would be in two places. */
function overlapRefusal(
  state: NetworkState,
  bridge: string,
  addresses: readonly Cidr[],
): CommandError | undefined {
  const other = 'choose a subnet that is free'
  for (const wanted of addresses) {
    const address = state.addresses.find(
      (item) => item.dev !== bridge && overlaps(wanted, { ...item, text: item.peer ?? item.local }),
    )
    if (address !== undefined)
      return refusal(
        `${networkOf(wanted)} overlaps ${address.local}/${address.prefixLength}, an address of ${address.dev}`,
        other,
      )
    const route = state.routes.find((item) => {
      const cidr = cidrOf(item)
      return cidr !== undefined && !isOnDev(item, [bridge]) && overlaps(wanted, cidr)
    })
    if (route !== undefined)
      return refusal(
        `${networkOf(wanted)} overlaps the route ${routeWords(route, undefined).join(' ')}`,
        other,
      )
  }
  return undefined
}

/** Two halves of all there is, as VPNs have them, and all global addresses of IPv6 (2000::/3) are default routes by another name. */
const longestDefault = 3

/** `undefined` for a default route, and for what every link has. */
function cidrOf(route: Route): Cidr | undefined {
  if (route.dst === 'default' || isPerLink(route)) return undefined
  const [text = '', length] = route.dst.split('/')
  const prefixLength = Number(length ?? (route.family === 4 ? 32 : 128))
  return prefixLength <= longestDefault ? undefined : { family: route.family, text, prefixLength }
}

const overlaps = (a: Cidr, b: Cidr): boolean => contains(a, b) || contains(b, a)

/** What could not be put back as it was is not taken away. */
function contentRefusal(state: NetworkState, sides: Move): CommandError | undefined {
  const { uplink } = sides
  const duplicate = addressesOf(state, uplink).find(({ status }) => status.includes('dadfailed'))
  if (duplicate !== undefined)
    return refusal(
      `${duplicate.local} on ${uplink} is a duplicate (dadfailed)`,
      `ip addr del ${duplicate.local}/${duplicate.prefixLength} dev ${uplink}`,
    )
  const route = touchedRoutes(state, sides).find(({ unknown }) => unknown.length > 0)
  if (route !== undefined) return unmovable(`route ${routeWords(route, undefined).join(' ')}`, route.unknown)
  const rule = state.rules.find((item) => ruleNames(item, devsOf(sides)) && item.unknown.length > 0)
  if (rule !== undefined) return unmovable(`rule ${ruleWords(rule).join(' ')}`, rule.unknown)
  const objects = objectsOn(state.nexthops, devsOf(sides))
  const isIpv6Off = sysctlOf(state, { family: 6, dev: uplink, key: 'disable_ipv6' }) === '1'
  const stranded = state.nexthops.find(({ family, dev }) => family === 6 && dev === uplink)
  if (isIpv6Off && stranded !== undefined)
    return refusal(
      `${uplink} has IPv6 off, and the IPv6 nexthop ${stranded.id}, which nobody could make again`,
      `ip nexthop del id ${stranded.id}`,
    )
  const object = state.nexthops.find(({ id, unknown }) => objects.has(id) && unknown.length > 0)
  if (object !== undefined) return unmovable(`nexthop ${nexthopWords(object).join(' ')}`, object.unknown)
  return undefined
}

const unmovable = (what: string, attributes: readonly string[]): CommandError =>
  refusal(`brup cannot move the ${what}: it has ${attributes.join(', ')}`, 'remove it first')
