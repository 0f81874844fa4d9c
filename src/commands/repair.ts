import { refusal } from '../errors.ts'
import type { Outcome } from '../host.ts'
import { bootSeconds } from '../kernel/clock.ts'
import { driftOf, repairGoal, type Left } from '../plan/drift.ts'
import { parseHostCidr } from '../names.ts'
import { isMove, type Sides } from '../plan/footprint.ts'
import { liftSteps, planWithLift } from '../plan/lift.ts'
import { isOurBridge } from '../plan/marks.ts'
import { asksFor4 } from '../plan/told-client.ts'
import { planOutcome, raisedOutcome, reachText } from '../report/outcome.ts'
import { findLink, type NetworkState } from '../state.ts'
import { runChange, type Changed } from '../transaction/change.ts'
import { asOfNow, leftBy, sidesOf, writeJournal, type Journal } from '../transaction/journal.ts'
import { observeQuiet } from '../transaction/verify.ts'
import { attachAgain } from './attach.ts'
import { refuseOwner } from './refuse-owner.ts'
import type { Session } from './session.ts'
import { dnsmasqOf, toldTexts, type Wish } from './wish.ts'

/** brup of a bridge that is up: the same wish again is done, another one is refused, and what has drifted is mended. */
export async function repair(
  wish: Wish & { readonly dryRun: boolean },
  session: Session,
  journal: Journal,
): Promise<Outcome> {
  const sides = sidesOf(journal)
  const { nat } = journal.told
  refuseOther(wish, journal, session.runDir)
  const before = await observeQuiet(sides)
  refuseStrangers(before, journal, sides)
  const left = leftBy(journal)
  const drift = left === undefined ? [] : driftOf(before, left)
  if (left === undefined || drift.length === 0) {
    if (!wish.dryRun) await attachAgain(session, sides.bridge, wish)
    return raisedOutcome([], { ...sides, nat })
  }
  if (isMove(sides)) await refuseOwner(before, sides)
  if (wish.dryRun)
    return planOutcome({
      plan: planWithLift(before, repairGoal(before, left), sides),
      sides,
      now: bootSeconds(),
    })
  const { steps } = await mend(session, { command: 'brup', journal, left, before })
  for (const line of drift) session.say(`repaired: ${line}`)
  await attachAgain(session, sides.bridge, wish)
  return raisedOutcome(steps, { ...sides, nat }, drift)
}

interface Mending {
  readonly command: 'brup' | 'brdown'
  readonly journal: Journal
  readonly left: Left
  readonly before: NetworkState
}

/**
 * Puts the host on the bridge again as brup left it. What the host had when it was raised stays the measure: what was added since
 * goes back with brdown.
 */
export async function mend(session: Session, { command, journal, left, before }: Mending): Promise<Changed> {
  const { sides } = left
  return runChange({
    ...session,
    journal: { ...asOfNow(journal, before), pending: { command, before } },
    sides,
    lift: liftSteps(before, repairGoal(before, left), sides),
    goal: (now) => repairGoal(now, left),
    check: () => Promise.resolve(),
    commit: (state) => {
      writeJournal(session.runDir, { ...asOfNow(journal, state), pending: undefined })
    },
  })
}

/** Throws (exit 3) where the bridge is up in another way than is asked for. */
export function refuseOther(wish: Wish, { bridge, uplink, told, raised }: Journal, runDir: string): void {
  const down = `run brdown ${bridge} first`
  const wanted = wish.uplink === false ? undefined : (wish.uplink ?? uplink?.name)
  const texts = toldTexts(wish)
  const is = { uplink: uplink?.name, nat: told.nat }
  const be = { uplink: wanted, nat: wish.nat || (wish.uplink === undefined && told.nat) }
  if (is.uplink !== be.uplink || is.nat !== be.nat)
    throw refusal(`${bridge} is up ${reachText(is)}, not ${reachText(be)}`, down)
  const differs = (key: 'addresses' | 'gateways' | 'forwards'): boolean =>
    JSON.stringify(texts[key]) !== JSON.stringify(told[key])
  const isTold = texts.addresses.length + texts.gateways.length > 0
  if (isTold && (differs('addresses') || differs('gateways')))
    throw refusal(`${bridge} is up with other addresses or gateways`, down)
  const addresses = told.addresses.map((text) => parseHostCidr(text))
  const dnsmasq = dnsmasqOf({ ...wish, nat: told.nat, addresses }, runDir)
  if (wish.dhcpRange !== undefined && JSON.stringify(dnsmasq) !== JSON.stringify(raised?.dnsmasq))
    throw refusal(`${bridge} is up with another DHCP range or other guests`, down)
  const link = raised && findLink(raised, bridge)
  if (wish.mtu !== undefined && link !== undefined && link.mtu !== wish.mtu)
    throw refusal(`${bridge} is up with an MTU of ${link.mtu}, not ${wish.mtu}`, down)
  if (wish.firewall !== undefined && wish.firewall !== told.firewall)
    throw refusal(`${bridge} is up with firewall = "${told.firewall}", not "${wish.firewall}"`, down)
  if (wish.dhcp && !told.dhcp && !asksFor4(raised, bridge))
    throw refusal(`${bridge} is up without DHCP`, down)
  if (wish.stp && link?.stp === false) throw refusal(`${bridge} is up without STP`, down)
  if (wish.nat && differs('forwards')) throw refusal(`${bridge} is up with other published ports`, down)
}

/** What somebody else put in the place of ours is theirs. */
export function refuseStrangers(state: NetworkState, journal: Journal, { uplink, bridge }: Sides): void {
  const down = `brdown ${bridge} puts back what can be`
  const port = findLink(state, uplink)
  if (uplink !== undefined && port === undefined)
    throw refusal(`${uplink}, the uplink of ${bridge}, is gone`, down)
  if (port?.master !== undefined && port.master !== bridge)
    throw refusal(
      `${port.name} is a port of ${port.master} now`,
      `ip link set ${port.name} nomaster, then brup again; or ${down}`,
    )
  const link = findLink(state, bridge)
  if (link === undefined && journal.adopted)
    throw refusal(`${bridge}, which was there before brup, is gone`, down)
  if (link === undefined || isOurBridge(link, journal)) return
  throw refusal(
    `${bridge} is not the bridge that brup made`,
    `ip link del ${bridge} if it may go; or ${down}`,
  )
}
