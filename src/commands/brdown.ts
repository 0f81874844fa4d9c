import type { BrdownArgs } from '../args.ts'
import { CommandError, refusal } from '../errors.ts'
import type { Command, Outcome } from '../host.ts'
import { bootSeconds } from '../kernel/clock.ts'
import { loweredGoal } from '../plan/lowered-goal.ts'
import { readMark } from '../plan/marks.ts'
import { makePlan } from '../plan/planner.ts'
import { rebase } from '../plan/rebase.ts'
import { absentOutcome, loweredOutcome, planOutcome } from '../report/outcome.ts'
import { findLink, type NetworkState } from '../state.ts'
import { runChange } from '../transaction/change.ts'
import { deleteJournal, type Journal } from '../transaction/journal.ts'
import { guestsOn, guestTexts } from '../transaction/guests.ts'
import { takeBackPending } from '../transaction/recover.ts'
import { observeSides } from '../transaction/verify.ts'
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
  const before = await observeSides(sides)
  refuseStranger(before, journal)
  const guests = guestTexts(guestsOn(before, sides, journal.original))
  if (guests.length > 0 && !args.force)
    throw new CommandError('refused', `${bridge} still has guests`, {
      hint: 'end them, or take their taps away with --force',
      differences: guests,
    })
  const { original, raised } = journal
  // What is on trial is taken back: there is nothing yet to be carried over.
  const wanted = raised === undefined ? original : loweredGoal(before, { sides, original, raised })
  const goal = rebase(wanted, before, sides)
  const plan = makePlan(before, goal, sides)
  if (args.dryRun) return planOutcome(plan, sides, bootSeconds())
  if (raised === undefined) {
    await takeBackPending(session.runDir, journal, session)
    return loweredOutcome(plan, sides)
  }
  await runChange({
    ...session,
    journal: { ...journal, pending: { command: 'brdown', before } },
    sides,
    plan,
    goal,
    check: () => Promise.resolve(),
    commit: () => {
      deleteJournal(session.runDir, bridge)
    },
  })
  for (const guest of guests) session.say(`taken off ${bridge}: ${guest}`)
  return loweredOutcome(plan, sides)
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
  if (bridge === undefined || journal.adopted || readMark(bridge)?.id === journal.id) return
  throw refusal(
    `${journal.bridge} is not the bridge that brup made: it does not carry its mark`,
    `if it may go: ip link del ${journal.bridge}, then brdown again`,
  )
}
