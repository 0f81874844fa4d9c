import type { BrdownArgs } from '../args.ts'
import { CommandError, refusal } from '../errors.ts'
import type { Command, Outcome } from '../host.ts'
import { bootSeconds } from '../kernel/clock.ts'
import { compare } from '../plan/compare.ts'
import { detoursDown, planVia } from '../plan/detours.ts'
import type { Sides } from '../plan/footprint.ts'
import { loweredGoal } from '../plan/lowered-goal.ts'
import { isOurBridge } from '../plan/marks.ts'
import { rebase } from '../plan/rebase.ts'
import { absentOutcome, loweredOutcome, planOutcome } from '../report/outcome.ts'
import { findLink, type NetworkState } from '../state.ts'
import { runChange } from '../transaction/change.ts'
import { deleteJournal, leftBy, type Journal } from '../transaction/journal.ts'
import { guestsOn, guestTexts } from '../transaction/guests.ts'
import { takeBackPending } from '../transaction/recover.ts'
import { observeQuiet, observeSides } from '../transaction/verify.ts'
import { inSession, type Session } from './session.ts'
import { bridgeOf } from './wish.ts'

export const brdown: Command<BrdownArgs> = {
  name: 'brdown',
  bridge: bridgeOf,
  run: async (args, host) => {
    const bridge = bridgeOf(args, host)
    return inSession(host, {
      ...args,
      name: 'brdown',
      bridge,
      work: async (session) => lower({ ...args, bridge }, session),
    })
  },
}

type LowerArgs = Omit<BrdownArgs, 'bridge'> & { readonly bridge: string }

async function lower(args: LowerArgs, session: Session): Promise<Outcome> {
  const { bridge } = args
  const { journal } = session
  if (journal === undefined) return nothingRaised(bridge)
  const sides = { uplink: journal.uplink.name, bridge }
  const before = await observeQuiet(sides)
  refuseStranger(before, journal)
  const guests = guestTexts(guestsOn(before, sides, journal.original))
  if (guests.length > 0 && !args.force)
    throw new CommandError('refused', `${bridge} still has guests`, {
      hint: 'end them, or take their taps away with --force',
      differences: guests,
    })
  const { original, raised } = journal
  // What is on trial is taken back: there is nothing yet to be carried over.
  const wanted =
    raised === undefined ? original : loweredGoal(before, { sides, original, raised, at: bootSeconds() })
  const goal = rebase(wanted, before, sides)
  const left = leftBy(journal)
  const detours = left === undefined ? [] : detoursDown(before, goal, left)
  const plan = planVia(before, { goal, sides, detours })
  const losses = lostWithUplink(before, wanted, sides)
  if (args.dryRun) return planOutcome(plan, sides, bootSeconds())
  if (raised === undefined) {
    await takeBackPending(session.runDir, journal, session)
    return loweredOutcome(plan, sides, losses)
  }
  await runChange({
    ...session,
    journal: { ...journal, pending: { command: 'brdown', before } },
    sides,
    plan,
    detours,
    goal,
    check: () => Promise.resolve(),
    commit: () => {
      deleteJournal(session.runDir, bridge)
    },
  })
  for (const guest of guests) session.say(`taken off ${bridge}: ${guest}`)
  for (const line of [...takenOut(before, sides), ...losses]) session.say(line)
  return loweredOutcome(plan, sides, losses)
}

/** Without a journal there is nothing to undo; a bridge that is there all the same is somebody else's. */
async function nothingRaised(bridge: string): Promise<Outcome> {
  const state = await observeSides({ uplink: bridge, bridge })
  if (findLink(state, bridge) !== undefined)
    throw refusal(`${bridge} was not raised by brup`, `if it is yours: ip link del ${bridge}`)
  return absentOutcome(bridge)
}

function refuseStranger(state: NetworkState, journal: Journal): void {
  const bridge = findLink(state, journal.bridge)
  if (bridge === undefined || isOurBridge(bridge, journal)) return
  throw refusal(
    `${journal.bridge} is not the bridge that brup made: it does not carry its mark`,
    `if it may go: ip link del ${journal.bridge}, then brdown again`,
  )
}

/** What cannot be put back, since the uplink was taken out of the machine. */
function lostWithUplink(now: NetworkState, wanted: NetworkState, sides: Sides): readonly string[] {
  const { uplink } = sides
  if (findLink(now, uplink) !== undefined) return []
  return compare(rebase(wanted, now, sides), wanted, sides)
    .filter((line) => line.startsWith('missing: '))
    .map((line) => `${uplink} is gone; not put back: ${line.replace('missing: ', '')}`)
}

/** The bridge that somebody gave the uplink to meanwhile. */
function takenOut(now: NetworkState, { uplink, bridge }: Sides): readonly string[] {
  const master = findLink(now, uplink)?.master
  return master === undefined || master === bridge
    ? []
    : [`${uplink} was a port of ${master}, and is taken out`]
}
