import * as v from 'valibot'
import { messageOf } from './errors.ts'
import {
  linkName,
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
  readonly bridge: LinkName
}

export interface Config {
  readonly defaultBridge: LinkName
  readonly bridges: readonly BridgeConfig[]
  readonly taps: readonly TapRule[]
}

/** Text that one of the checks in names.ts takes, with that check's own message. */
const textAs = <T>(check: (text: string, what: string) => T, allowed: string) =>
  v.pipe(
    v.string(`is not text (allowed: ${allowed})`),
    v.rawTransform<string, T>(({ dataset, addIssue, NEVER }) => {
      try {
        return check(dataset.value, '')
      } catch (error) {
        addIssue({ message: `${messageOf(error).trim()} (allowed: ${allowed})` })
        return NEVER
      }
    }),
  )

const listOf = <T extends v.GenericSchema>(item: T, allowed: string) =>
  v.array(item, `is not a list (allowed: a list such as ${allowed})`)

const link = textAs(linkName, 'the name of an interface, up to 15 bytes')
const secondsFrom = (least: number) => {
  const allowed = `is not a whole number of seconds from ${least} to 3600`
  return v.pipe(v.number(allowed), v.integer(allowed), v.minValue(least, allowed), v.maxValue(3600, allowed))
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

const portAllowed = 'is not a port (allowed: a whole number from 1 to 65535)'
const forward = v.strictObject({
  protocol: v.optional(v.picklist(['tcp', 'udp'], 'is none (allowed: "tcp", "udp")'), 'tcp'),
  port: v.pipe(
    v.number(portAllowed),
    v.integer(portAllowed),
    v.minValue(1, portAllowed),
    v.maxValue(65535, portAllowed),
  ),
  to: textAs(parseEndpoint, 'such as "192.168.40.9:80" or "[fd40::9]:80"'),
})

const guest = v.pipe(
  v.strictObject({
    mac: textAs(parseMac, 'such as "52:54:00:12:34:56"'),
    name: textAs(parseHostName, 'letters, digits and hyphens, up to 63'),
    address: v.optional(textAs(parseGateway, 'an IP address')),
  }),
  v.transform((table): KnownGuest => ({ ...table, address: table.address })),
)

const bridge = v.pipe(
  v.strictObject({
    name: link,
    uplink: v.optional(
      v.union(
        [v.literal(false), link],
        'is not the name of an interface (allowed: one of up to 15 bytes, or false)',
      ),
    ),
    nat: v.optional(v.boolean('is not true or false (allowed: true, false)'), false),
    address: v.optional(listOf(textAs(parseHostCidr, 'such as 192.168.1.5/24'), '["192.168.1.5/24"]'), []),
    gateway: v.optional(gateways, []),
    check_gateway: v.optional(secondsFrom(0)),
    check: v.optional(check),
    check_seconds: v.optional(secondsFrom(1), defaultCheckSeconds),
    dhcp_range: v.optional(textAs(parseDhcpRange, 'such as "192.168.40.50,192.168.40.150"')),
    guest: v.optional(v.array(guest, 'is not a list of tables (write [[bridge.guest]])'), []),
    forward: v.optional(v.array(forward, 'is not a list of tables (write [[bridge.forward]])'), []),
  }),
  v.forward(
    v.check(
      ({ nat, uplink }) => !nat || uplink === undefined || uplink === false,
      'is the name of an interface, which a bridge with NAT has not (allowed: false)',
    ),
    ['uplink'],
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
    check: table.check === undefined ? undefined : { words: table.check, seconds: table.check_seconds },
  })),
)

const glob = v.pipe(
  v.string('is not text (allowed: a glob such as "vm-*")'),
  v.nonEmpty('is empty (allowed: a glob such as "vm-*")'),
)
const tap = v.strictObject({ match: glob, bridge: link })

const bridges = v.pipe(
  v.array(bridge, 'is not a list of tables (write [[bridge]])'),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return
    const list = dataset.value
    list.forEach(({ name }, i) => {
      if (list.findIndex((other) => other.name === name) === i) return
      const at = (key: PropertyKey, value: unknown) => ({
        type: 'object',
        origin: 'value',
        input: {},
        key,
        value,
      })
      const path = [at(i, list[i]), at('name', name)] as unknown as [v.IssuePathItem, ...v.IssuePathItem[]]
      addIssue({ message: `${JSON.stringify(name)} is the name of an earlier [[bridge]] too`, path })
    })
  }),
)

export const configSchema = v.pipe(
  v.strictObject({
    default_bridge: v.optional(link, 'br0'),
    bridge: v.optional(bridges, []),
    tap: v.optional(v.array(tap, 'is not a list of tables (write [[tap]])'), []),
  }),
  v.transform((file): Config => ({
    defaultBridge: file.default_bridge,
    bridges: file.bridge,
    taps: file.tap,
  })),
)
