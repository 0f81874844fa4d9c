import { refusal } from '../errors.ts'
import type { Outcome } from '../host.ts'
import { bootSeconds } from '../kernel/clock.ts'
import { lift, planVia } from '../plan/detours.ts'
import { driftOf, repairGoal, type Left } from '../plan/drift.ts'
import type { Sides } from '../plan/footprint.ts'
import { isOurBridge } from '../plan/marks.ts'
import { withIndexes } from '../plan/repaired-goal.ts'
import { planOutcome, raisedOutcome } from '../report/outcome.ts'
import { findLink, type NetworkState } from '../state.ts'
import { runChange } from '../transaction/change.ts'
import { leftBy, writeJournal, type Journal } from '../transaction/journal.ts'
import { observeQuiet } from '../transaction/verify.ts'
import { attachAgain } from './attach.ts'
import { refuseOwner } from './owner.ts'
import type { Session } from './session.ts'
import { toldTexts, type Wish } from './wish.ts'

/** brup of a bridge that is up: the same wish again is done, another one is refused, and what has drifted is mended. */
export async function repair(
  wish: Wish & { readonly dryRun: boolean },
  session: Session,
  journal: Journal,
): Promise<Outcome> {
  const sides = { uplink: journal.uplink.name, bridge: journal.bridge }
  refuseOther(wish, journal)
  const before = await observeQuiet(sides)
  refuseStrangers(before, journal, sides)
  const left = leftBy(journal)
  if (left === undefined) return raisedOutcome(undefined, sides)
  const drift = driftOf(before, left)
  if (drift.length > 0) refuseOwner(before, sides.uplink)
  const goal = repairGoal(before, left)
  const detours = [lift(goal, sides)]
  const plan = planVia(before, { goal, sides, detours })
  if (wish.dryRun && drift.length > 0) return planOutcome(plan, sides, bootSeconds())
  if (drift.length > 0)
    await runChange({
      ...session,
      journal: { ...journal, pending: { command: 'brup', before } },
      sides,
      plan,
      detours,
      goal,
      check: () => Promise.resolve(),
      commit: (state) => {
        writeJournal(session.runDir, mended(journal, left, state))
      },
    })
  for (const line of drift) session.say(`repaired: ${line}`)
  if (!wish.dryRun) await attachAgain(session, sides.bridge)
  return raisedOutcome(drift.length > 0 ? plan : undefined, sides, drift)
}

/** What the host had when it was raised stays the measure: what was added since goes back with brdown. */
function mended(journal: Journal, { sides, raised }: Left, state: NetworkState): Journal {
  const { index = journal.uplink.index } = findLink(state, sides.uplink) ?? {}
  return {
    ...journal,
    pending: undefined,
    uplink: { ...journal.uplink, index },
    raised: withIndexes(raised, state, sides),
  }
}

function refuseOther(wish: Wish, { bridge, uplink, told }: Journal): void {
  const down = `run brdown ${bridge} first`
  if (wish.uplink !== undefined && wish.uplink !== uplink.name)
    throw refusal(`${bridge} is up with the uplink ${uplink.name}, not ${wish.uplink}`, down)
  const wanted = toldTexts(wish)
  const isTold = wanted.addresses.length + wanted.gateways.length > 0
  if (isTold && JSON.stringify(wanted) !== JSON.stringify(told))
    throw refusal(`${bridge} is up with other addresses or gateways`, down)
}

/** What somebody else put in the place of ours is theirs. */
function refuseStrangers(state: NetworkState, journal: Journal, { uplink, bridge }: Sides): void {
  const down = `brdown ${bridge} puts back what can be`
  const port = findLink(state, uplink)
  if (port === undefined) throw refusal(`${uplink}, the uplink of ${bridge}, is gone`, down)
  if (port.master !== undefined && port.master !== bridge)
    throw refusal(
      `${uplink} is a port of ${port.master} now`,
      `ip link set ${uplink} nomaster, then brup again; or ${down}`,
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
