import * as v from 'valibot'
import {
  about,
  link,
  listOf,
  pathTo,
  secondsFrom,
  textAs,
  trueOrFalse,
  wholeNumber,
} from './config-values.ts'
import { isPlain } from './glob.ts'
import {
  parseDhcpRange,
  parseEndpoint,
  parseGateway,
  parseHostCidr,
  parseHostName,
  parseMac,
} from './names.ts'
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

interface TapRule {
  /** A glob for the tap's whole name. */
  readonly match: string
  readonly bridge: LinkName | undefined
  readonly isolated: boolean | undefined
  readonly hairpin: boolean
  readonly mac: string | undefined
  readonly pvid: number | undefined
  readonly trunk: readonly number[]
}

export interface Config {
  readonly defaultBridge: LinkName
  readonly bridges: readonly BridgeConfig[]
  readonly taps: readonly TapRule[]
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

const forward = v.strictObject({
  port: about(
    'the port of the host',
    wholeNumber('is not a port (allowed: a whole number from 1 to 65535)', 1, 65535),
  ),
  to: about(
    "the guest's address and port",
    textAs(parseEndpoint, 'such as "192.168.40.9:80" or "[fd40::9]:80"'),
  ),
  protocol: v.optional(
    about('"tcp" or "udp"', v.picklist(['tcp', 'udp'], 'is none (allowed: "tcp", "udp")')),
    'tcp',
  ),
})

const guestTable = v.strictObject({
  mac: about('by which it is known', textAs(parseMac, 'such as "52:54:00:12:34:56"')),
  name: about(
    'by which the other guests find it',
    textAs(parseHostName, 'letters, digits and hyphens, up to 63'),
  ),
  address: v.optional(about('which it always gets', textAs(parseGateway, 'an IP address'))),
})
const guest = v.pipe(
  guestTable,
  v.transform((table): KnownGuest => ({ ...table, address: table.address })),
)

const guests = v.pipe(
  v.array(guest, 'is not a list of tables (write [[bridge.guest]])'),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return
    const list = dataset.value
    list.forEach((item, i) => {
      const earlier = list.slice(0, i)
      const isTaken = (key: 'mac' | 'name' | 'address'): boolean =>
        item[key] !== undefined && earlier.some((other) => textOf(other[key]) === textOf(item[key]))
      const key = (['mac', 'name', 'address'] as const).find(isTaken)
      if (key === undefined) return
      const path = pathTo(list, i, key)
      addIssue({
        message: `${JSON.stringify(textOf(item[key]))} is that of an earlier [[bridge.guest]] too`,
        path,
      })
    })
  }),
)
const textOf = (value: string | IpAddress | undefined): string | undefined =>
  typeof value === 'string' ? value : value?.text

const bridgeTable = v.strictObject({
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
const bridge = v.pipe(
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
    guests: table.guest,
    mtu: table.mtu,
    stp: table.stp,
    isolated: table.isolated,
    firewall: table.firewall,
    check: table.check === undefined ? undefined : { words: table.check, seconds: table.check_seconds },
  })),
)

const glob = v.pipe(
  v.string('is not text (allowed: a glob such as "vm-*")'),
  v.nonEmpty('is empty (allowed: a glob such as "vm-*")'),
)

const vlan = wholeNumber('is not a VLAN (allowed: a whole number from 1 to 4094)', 1, 4094)
const tapTable = v.strictObject({
  match: about('a glob for the names of the taps that this is about; the first that fits decides', glob),
  bridge: v.optional(about('which they join (default: default_bridge)', link)),
  isolated: v.optional(
    about('the guest reaches no other isolated guest (default: as its bridge says)', trueOrFalse),
  ),
  hairpin: v.optional(about('what the guest sends may come back to it', trueOrFalse), false),
  mac: v.optional(
    about(
      "the guest's: the bridge learns no other behind its tap, and sends nothing there that is for somebody else",
      textAs(parseMac, 'such as "52:54:00:12:34:56"'),
    ),
  ),
  pvid: v.optional(about('the VLAN of what the guest sends without a tag', vlan)),
  trunk: v.optional(
    about('VLANs of which the guest sends and gets tagged frames', listOf(vlan, '[10, 20]')),
    [],
  ),
})
const tap = v.pipe(
  tapTable,
  v.forward(
    v.check(
      ({ mac, match }) => mac === undefined || isPlain(match),
      'is that of one guest, and match fits the taps of many (allowed: with a match without * ? [ ])',
    ),
    ['mac'],
  ),
  v.transform(({ match, bridge: name, isolated, hairpin, mac, pvid, trunk }): TapRule => ({
    ...{ match, bridge: name, isolated, hairpin, mac, pvid, trunk },
  })),
)

const bridges = v.pipe(
  v.array(bridge, 'is not a list of tables (write [[bridge]])'),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return
    const list = dataset.value
    list.forEach(({ name }, i) => {
      if (list.findIndex((other) => other.name === name) === i) return
      const path = pathTo(list, i, 'name')
      addIssue({ message: `${JSON.stringify(name)} is the name of an earlier [[bridge]] too`, path })
    })
  }),
)

const fileTable = v.strictObject({
  default_bridge: v.optional(about('the bridge of commands that name none', link), 'br0'),
  bridge: v.optional(about('a bridge that brup raises', bridges), []),
  tap: v.optional(
    about('how the taps of guests are dealt with', v.array(tap, 'is not a list of tables (write [[tap]])')),
    [],
  ),
})

export const configSchema = v.pipe(
  fileTable,
  v.transform((file): Config => ({
    defaultBridge: file.default_bridge,
    bridges: file.bridge,
    taps: file.tap,
  })),
)

const keysOf = ({ entries }: { readonly entries: object }): string => Object.keys(entries).join(', ')

/** Of each table, by its path. */
export const allowedKeys: Readonly<Record<string, string>> = {
  '': keysOf(fileTable),
  bridge: keysOf(bridgeTable),
  'bridge.forward': keysOf(forward),
  'bridge.guest': keysOf(guestTable),
  tap: keysOf(tapTable),
}
