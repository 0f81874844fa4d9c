import { refusal } from '../errors.ts'
import { hasDnsmasq } from '../kernel/dnsmasq.ts'
import { isListening } from '../kernel/listeners.ts'
import { hasNft } from '../kernel/nft.ts'
import { isWireless } from '../kernel/wireless.ts'
import { isMove, type Sides } from '../plan/footprint.ts'
import { brupRefusal, ownBridgeRefusal } from '../plan/refusals.ts'
import { findLink, type NetworkState } from '../state.ts'
import { refuseOwner } from './refuse-owner.ts'
import { leastIpv6Mtu, type Wish } from './wish.ts'

/** Throws (exit 3) what stands against raising the bridge. */
export async function refuse(before: NetworkState, sides: Sides, wish: Wish): Promise<void> {
  refuseUnfit(before, sides, wish)
  if (isMove(sides))
    await refuseOwner(
      before,
      sides,
      wish.addresses.map(({ family }) => family),
    )
}

/** The same, whoever manages the uplink. */
export function refuseUnfit(before: NetworkState, sides: Sides, wish: Wish): void {
  const reason = isMove(sides)
    ? brupRefusal(before, sides)
    : ownBridgeRefusal(before, sides.bridge, wish.addresses)
  if (reason !== undefined) throw reason
  if (!isMove(sides)) {
    refuseOwn(sides.bridge, wish)
    return
  }
  const { uplink } = sides
  refuseMtu(before, uplink, wish)
  if (isWireless(uplink))
    throw refusal(`${uplink} is Wi-Fi, which cannot be a port of a bridge`, 'use a wired uplink')
}

/** The host would send what its uplink cannot. */
function refuseMtu(before: NetworkState, uplink: string, { bridge, mtu }: Wish): void {
  const most = findLink(before, uplink)?.mtu
  if (mtu === undefined || most === undefined) return
  if (mtu > most)
    throw refusal(
      `${uplink} has an MTU of ${most}, and ${bridge} is to have ${mtu}`,
      `ip link set ${uplink} mtu ${mtu}`,
    )
  const hasIpv6 = before.addresses.some(({ dev, family }) => dev === uplink && family === 6)
  if (hasIpv6 && mtu < leastIpv6Mtu)
    throw refusal(`${uplink} has IPv6, which needs an MTU of ${leastIpv6Mtu} or more`, 'change mtu')
}

/** A port that the host itself serves would be lost to it: its SSH, say. */
function refuseOwn(bridge: string, { forwards, dhcpRange }: Wish): void {
  if (dhcpRange !== undefined && !hasDnsmasq())
    throw refusal(`${bridge} needs dnsmasq, to give its guests addresses`, 'install dnsmasq-base')
  if (!hasNft()) throw refusal(`${bridge} needs nft, to keep its guests apart`, 'install nftables')
  const taken = forwards.find(({ protocol, port }) => isListening(protocol, port))
  if (taken !== undefined)
    throw refusal(`the host listens on ${taken.protocol} port ${taken.port} itself`, 'publish another port')
}
