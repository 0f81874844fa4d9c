import { refusal } from '../errors.ts'
import { observe } from '../kernel/observe.ts'
import { isMove, type Sides } from '../plan/footprint.ts'
import { ownBridgeGoal, raisedGoal } from '../plan/goals.ts'
import { lasting } from '../plan/network-manager.ts'
import { withTold } from '../plan/told.ts'
import { defaultUplink } from '../plan/uplink.ts'
import type { NetworkState } from '../state.ts'
import { ownersOnBridge } from './owners.ts'
import { dnsmasqOf, openingFor, type Wish } from './wish.ts'

interface GoalOptions {
  readonly wish: Wish
  readonly sides: Sides
  /** That of the run. */
  readonly id: string
  readonly runDir: string
}

/** The host with the bridge that is asked for. Throws where what the user told does not fit. */
export async function goalOf(
  before: NetworkState,
  { wish, sides, id, runDir }: GoalOptions,
): Promise<NetworkState> {
  const opening = wish.firewall === 'warn' ? undefined : openingFor(wish, id, sides.uplink)
  const base = isMove(sides)
    ? raisedGoal(before, {
        ...{ sides, id, mtu: wish.mtu, opening },
        ...(await ownersOnBridge(before, sides, { wish, id })),
      })
    : ownBridgeGoal(before, { ...wish, id, dnsmasq: dnsmasqOf(wish, runDir), opening })
  return lasting(withTold(base, sides.bridge, wish), sides)
}

/** Refuses (exit 3) where there is none to be found. */
export async function uplinkOf({ uplink }: Wish): Promise<string | undefined> {
  if (uplink === false) return undefined
  return uplink ?? defaultUplink(await observe([])) ?? missingUplink()
}

const missingUplink = (): never => {
  throw refusal('no uplink found: there is no default route', 'give --uplink IF, or --no-uplink')
}
