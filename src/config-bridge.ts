import * as v from 'valibot'
import { forward, guests } from './config-guests.ts'
import { about, link, listOf, secondsFrom, textAs, trueOrFalse, wholeNumber } from './config-values.ts'
import { parseDhcpRange, parseGateway, parseHostCidr } from './names.ts'
import type { Cidr, DhcpRange, Forward, IpAddress, KnownGuest, LinkName } from './names.ts'

export interface BridgeConfig {
  readonly name: LinkName
  /** `false`: a network of its own. */
  readonly uplink: LinkName | false | undefined
  /** Goes without an uplink. */
  readonly nat: boolean
  readonly addresses: readonly Cidr[]
  /** At most one per family. */
  readonly gateways: readonly IpAddress[]
  readonly checkGatewaySeconds: number | undefined
  readonly check: CheckCommand | undefined
  /** Only with NAT. */
  readonly forwards: readonly Forward[]
  readonly dhcpRange: DhcpRange | undefined
  /** Whether it asks for an IPv4 address, also where its uplink does not. */
  readonly dhcp: boolean
  readonly guests: readonly KnownGuest[]
  /** In bytes; `undefined`: as the uplink has it, or that of Ethernet. */
  readonly mtu: number | undefined
  /** Only without an uplink: with it the host would be silent until its port forwards. */
  readonly stp: boolean
  /** Whether the host's firewall gets rules for its guests, or only what they lack is said. */
  readonly firewall: 'open' | 'warn' | undefined
  /** Whether guests reach each other only by the host, where no `[[tap]]` says otherwise. */
  readonly isolated: boolean
}

/** Runs after the switch and decides whether it stays. */
export interface CheckCommand {
  /** The first is an absolute path. */
  readonly words: readonly string[]
  /** How long it may take. */
  readonly seconds: number
}

const gateways = v.pipe(
  listOf(textAs(parseGateway, 'an IP address'), '["192.168.1.1"]'),
  v.check(
    (list) => [4, 6].every((family) => list.filter((gateway) => gateway.family === family).length <= 1),
    'holds more than one gateway of a family (allowed: one for IPv4, one for IPv6)',
  ),
)

const checkAllowed = 'a command and its arguments, such as ["/usr/bin/ping", "-c1", "192.168.1.9"]'
const check = v.pipe(
  v.array(
    v.pipe(
      v.string(`is not text (allowed: ${checkAllowed})`),
      v.check((word) => !word.includes('\0'), `holds a NUL (allowed: ${checkAllowed})`),
    ),
    `is not a list (allowed: ${checkAllowed})`,
  ),
  v.minLength(1, `is empty (allowed: ${checkAllowed})`),
  v.check(
    ([program]) => program?.startsWith('/') === true,
    `does not begin with an absolute path (allowed: ${checkAllowed})`,
  ),
)
const defaultCheckSeconds = 10

/** `[[bridge]]` */
export const bridgeTable = v.strictObject({
  name: about('the name of the bridge', link),
  uplink: v.optional(
    about(
      'the interface that becomes its port (default: that of the default route); false: it is a network of its own',
      v.union(
        [v.literal(false), link],
        'is not the name of an interface (allowed: one of up to 15 bytes, or false)',
      ),
    ),
  ),
  nat: v.optional(
    about(
      'a network of its own, whose guests reach what the host reaches, by the addresses of the host',
      trueOrFalse,
    ),
    false,
  ),
  mtu: v.optional(
    about(
      'in bytes (default: that of the uplink, or 1500)',
      wholeNumber('is not an MTU (allowed: a whole number of bytes from 68 to 65535)', 68, 65535),
    ),
  ),
  stp: v.optional(
    about(
      "the spanning tree protocol, only without an uplink: a guest's port then forwards after half a minute",
      trueOrFalse,
    ),
    false,
  ),
  isolated: v.optional(
    about('guests reach the host, and not each other, where no [[tap]] says otherwise', trueOrFalse),
    false,
  ),
  dhcp: v.optional(
    about('ask for an IPv4 address on the bridge, also where the uplink has no DHCP client', trueOrFalse),
    false,
  ),
  address: v.optional(
    about(
      'addresses for the host on it, instead of what the uplink has',
      listOf(textAs(parseHostCidr, 'such as 192.168.1.5/24'), '["192.168.1.5/24"]'),
    ),
    [],
  ),
  gateway: v.optional(
    about('default gateways instead of what the uplink has, one for each family', gateways),
    [],
  ),
  check_gateway: v.optional(
    about(
      'how many seconds the gateway may take to answer before all is rolled back (default 5; 0: do not ask)',
      secondsFrom(0),
    ),
  ),
  check: v.optional(
    about(
      'a command and its arguments: it runs after the switch, and where it fails all is rolled back',
      check,
    ),
  ),
  check_seconds: v.optional(about('how long that command may take', secondsFrom(1)), defaultCheckSeconds),
  firewall: v.optional(
    about(
      '"open": the host\'s firewall gets the rules that guests need where it would end what they send; "warn": it is only said',
      v.picklist(['open', 'warn'], 'is none (allowed: "open", "warn")'),
    ),
  ),
  dhcp_range: v.optional(
    about(
      'give guests IPv4 addresses from the first to the last, names, and IPv6 where the bridge has it; not with an uplink',
      textAs(parseDhcpRange, 'such as "192.168.40.50,192.168.40.150"'),
    ),
  ),
  guest: v.optional(about('a guest with a name, and an address, of its own', guests), []),
  forward: v.optional(
    about(
      'a port of the host that leads to a guest',
      v.array(forward, 'is not a list of tables (write [[bridge.forward]])'),
    ),
    [],
  ),
})
/** What may not stand together is said at the key that is wrong. */
export const bridge = v.pipe(
  bridgeTable,
  v.forward(
    v.check(
      ({ nat, uplink }) => !nat || uplink === undefined || uplink === false,
      'is the name of an interface, which a bridge with NAT has not (allowed: false)',
    ),
    ['uplink'],
  ),
  v.forward(
    v.check(
      ({ stp, nat, uplink }) => !stp || nat || uplink === false,
      'would silence the host until its port forwards (allowed: with uplink = false)',
    ),
    ['stp'],
  ),
  v.forward(
    v.check(
      ({ dhcp, nat, uplink }) => !dhcp || (!nat && uplink !== false),
      'needs an uplink, behind which the server is (allowed: neither with nat nor with uplink = false)',
    ),
    ['dhcp'],
  ),
  v.forward(
    v.check(
      ({ dhcp, address }) => !dhcp || address.every(({ family }) => family === 6),
      'excludes an IPv4 address (allowed: IPv6 addresses)',
    ),
    ['dhcp'],
  ),
  v.forward(
    v.check(
      ({ nat, forward: list }) => nat || list.length === 0,
      'leads to no guest, since the bridge has no NAT (allowed: with nat = true)',
    ),
    ['forward'],
  ),
  v.transform((table): BridgeConfig => ({
    name: table.name,
    uplink: table.uplink,
    nat: table.nat,
    addresses: table.address,
    gateways: table.gateway,
    checkGatewaySeconds: table.check_gateway,
    forwards: table.forward,
    dhcpRange: table.dhcp_range,
    dhcp: table.dhcp,
    guests: table.guest,
    mtu: table.mtu,
    stp: table.stp,
    isolated: table.isolated,
    firewall: table.firewall,
    check: table.check === undefined ? undefined : { words: table.check, seconds: table.check_seconds },
  })),
)
