import type { BrupArgs } from '../args.ts'
import { loadConfig, portWishFor } from '../config.ts'
import type { CheckCommand } from '../config-bridge.ts'
import type { Config } from '../config-schema.ts'
import { usageError } from '../errors.ts'
import type { Host } from '../host.ts'
import type { Journal } from '../transaction/journal.ts'
import {
  contains,
  endpointText,
  type Cidr,
  type DhcpRange,
  type Forward,
  type IpAddress,
  type KnownGuest,
  type PortWish,
} from '../names.ts'
import { dnsmasqFault, dnsmasqWords } from '../plan/dnsmasq.ts'
import type { Opening } from '../plan/firewall-rules.ts'

/** What brup is asked for: the command line, and the configuration where that is silent. */
export interface Wish {
  readonly bridge: string
  /** `false`: the bridge has none. */
  readonly uplink: string | false | undefined
  readonly addresses: readonly Cidr[]
  readonly gateways: readonly IpAddress[]
  readonly checkGatewaySeconds: number
  readonly trySeconds: number | undefined
  readonly check: CheckCommand | undefined
  /** Guests reach what is beyond the bridge, by the host's addresses. */
  readonly nat: boolean
  readonly forwards: readonly Forward[]
  readonly dhcpRange: DhcpRange | undefined
  /** It asks for an IPv4 address, also where its uplink does not. */
  readonly dhcp: boolean
  readonly guests: readonly KnownGuest[]
  readonly mtu: number | undefined
  /** `undefined`: as it is, or open. */
  readonly firewall: 'open' | 'warn' | undefined
  /** Refuse where rules name the uplink. */
  readonly isFirewallStrict: boolean
  readonly stp: boolean
  /** Of the guests that are attached again. */
  readonly portOf: (tap: string) => PortWish
}

interface BridgeArgs {
  readonly bridge: string | undefined
  readonly config: string | undefined
}

/** The bridge that a command is about: its argument, or the default of the configuration. */
export const bridgeOf = (args: BridgeArgs, host: Host): string =>
  args.bridge ?? loadConfig(args.config, host.env).defaultBridge

const defaultCheckSeconds = 5

/** Throws a usage error (exit 2) for an uplink of a bridge with NAT. */
export function wishOf(args: BrupArgs, config: Config): Wish {
  const bridge = args.bridge ?? config.defaultBridge
  const configured = config.bridges.find(({ name }) => name === bridge)
  const isTold4 = args.addresses.some(({ family }) => family === 4)
  const nat = args.nat || (configured?.nat === true && !args.hasNoUplink)
  if (nat && args.uplink !== undefined)
    throw usageError(`${bridge} has NAT, and so no uplink`, 'give no --uplink')
  return {
    bridge,
    uplink: args.hasNoUplink || nat ? false : (args.uplink ?? configured?.uplink),
    addresses: args.addresses.length > 0 ? args.addresses : (configured?.addresses ?? []),
    gateways: args.gateways.length > 0 ? args.gateways : (configured?.gateways ?? []),
    nat,
    forwards: nat ? (configured?.forwards ?? []) : [],
    dhcpRange: args.dhcpRange ?? configured?.dhcpRange,
    dhcp: args.dhcp || (configured?.dhcp === true && !isTold4 && !args.hasNoUplink && !nat),
    guests: configured?.guests ?? [],
    mtu: configured?.mtu,
    firewall: configured?.firewall,
    isFirewallStrict: args.isFirewallStrict,
    stp: configured?.stp ?? false,
    portOf: (tap) => portWishFor(tap, bridge, config),
    trySeconds: args.trySeconds,
    checkGatewaySeconds: args.checkGatewaySeconds ?? configured?.checkGatewaySeconds ?? defaultCheckSeconds,
    check: configured?.check,
  }
}

/** RFC 8200 */
export const leastIpv6Mtu = 1280

/** Throws a usage error (exit 2) where a bridge cannot be raised like that. One that is up may be meant with less. */
export function expectWhole(wish: Wish): void {
  const { bridge, uplink, addresses, gateways, nat, forwards, dhcpRange } = wish
  if (uplink === false && gateways.length > 0)
    throw usageError(`${bridge} has no uplink, and so no gateway`, 'give --uplink IF, or no --gateway')
  if (wish.stp && uplink !== false)
    throw usageError(
      `${bridge} has an uplink, and with stp the host would be silent until its port forwards`,
      'give --no-uplink, or no stp',
    )
  if (wish.mtu !== undefined && wish.mtu < leastIpv6Mtu && addresses.some(({ family }) => family === 6))
    throw usageError(`${bridge}: IPv6 needs an MTU of ${leastIpv6Mtu} or more`, 'change mtu')
  if (wish.dhcp && uplink === false)
    throw usageError(`${bridge} has no uplink, and so no DHCP server`, 'give --uplink IF, or no --dhcp')
  if (wish.dhcp && [...addresses, ...gateways].some(({ family }) => family === 4))
    throw usageError(`${bridge} is to ask for its IPv4 address and to have one`, 'give --dhcp or --address')
  if (nat && addresses.length === 0)
    throw usageError(`${bridge} has no address, and so no subnet for NAT`, 'give --address CIDR')
  if (dhcpRange !== undefined && uplink !== false)
    throw usageError(
      `${bridge} has an uplink, and a second DHCP server on a LAN would harm it`,
      'give --no-uplink or --nat, or no --dhcp-range',
    )
  const fault = dnsmasqFault(wish)
  if (fault !== undefined)
    throw usageError(`${bridge}: ${fault}`, 'give --address or --dhcp-range accordingly')
  const lost = forwards.find(({ to }) => !addresses.some((cidr) => contains(cidr, to)))
  if (lost !== undefined)
    throw usageError(
      `port ${lost.port} leads to ${endpointText(lost.to)}, which is in no subnet of ${bridge}`,
      'change `to` of that [[bridge.forward]], or the address of the bridge',
    )
}

/** The arguments of the dnsmasq that the bridge is to have. */
export const dnsmasqOf = (
  wish: Pick<Wish, 'bridge' | 'addresses' | 'nat' | 'dhcpRange' | 'guests' | 'mtu'>,
  runDir: string,
): readonly string[] | undefined => dnsmasqWords({ ...wish, runDir })

/** What lets its guests through the host's firewall, in any case. */
export const openingFor = (wish: Wish, id: string, uplink: string | undefined): Opening => ({
  bridge: wish.bridge,
  uplink,
  id,
  addresses: wish.addresses,
  nat: wish.nat,
  isPublishing: wish.forwards.length > 0,
  isServing: wish.dhcpRange !== undefined,
})

/** As the journal keeps them. */
export const toldTexts = ({ addresses, gateways, nat, forwards, firewall, dhcp }: Wish): Journal['told'] => ({
  addresses: addresses.map(({ text, prefixLength }) => `${text}/${prefixLength}`),
  gateways: gateways.map(({ text }) => text),
  nat,
  dhcp,
  forwards: forwards.map(({ protocol, port, to }) => `${protocol} ${port} ${endpointText(to)}`),
  firewall: firewall ?? 'open',
})
