import type { BrdownArgs } from '../args.ts'
import { CommandError, refusal } from '../errors.ts'
import type { Command, Outcome } from '../host.ts'
import { bootSeconds } from '../kernel/clock.ts'
import { forgetClientFiles } from '../kernel/dhcp-clients.ts'
import { isExecutable } from '../kernel/program.ts'
import { compare } from '../plan/compare.ts'
import { driftOf, repairGoal, type Left } from '../plan/drift.ts'
import { clientsBack } from '../plan/dhcp-clients.ts'
import { closedFirewall } from '../plan/firewall.ts'
import { isMove, type Sides } from '../plan/footprint.ts'
import { liftSteps, planWithLift } from '../plan/lift.ts'
import { loweredGoal } from '../plan/lowered-goal.ts'
import { isOurBridge } from '../plan/marks.ts'
import { makePlan, stepsOf, type Plan } from '../plan/planner.ts'
import { advertisedAgain } from '../plan/network-manager.ts'
import { rebase } from '../plan/rebase.ts'
import { asIfLeased, own4 } from '../plan/told-client.ts'
import { absentOutcome, loweredOutcome, planOutcome } from '../report/outcome.ts'
import { addressesOf, findLink, type NetworkState } from '../state.ts'
import type { Step } from '../step.ts'
import { runChange } from '../transaction/change.ts'
import { forgetDetached } from '../transaction/detached-taps.ts'
import { asOfNow, deleteJournal, leftBy, sidesOf, type Journal } from '../transaction/journal.ts'
import { guestsOn, guestTexts } from '../transaction/guests.ts'
import { takeBackPending } from '../transaction/recover.ts'
import { routingWithout } from '../transaction/routed.ts'
import { observeQuiet, observeSides } from '../transaction/verify.ts'
import { everyBridge } from './each.ts'
import { mend } from './repair.ts'
import { inSession, type Session } from './session.ts'
import { bridgeOf } from './wish.ts'

export const brdown: Command<BrdownArgs> = {
  name: 'brdown',
  bridge: bridgeOf,
  // The last that was raised goes first.
  each: (args, host) => everyBridge(args, host)?.toReversed(),
  goesOn: true,
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
  const sides = sidesOf(journal)
  const found = await observeQuiet(sides)
  refuseStranger(found, journal)
  const ports = guestsOn(found, sides, journal.original)
  const guests = guestTexts(ports)
  if (guests.length > 0 && !args.force)
    throw new CommandError('refused', `${bridge} still has guests`, {
      hint: 'end them, or take their taps away with --force',
      differences: guests,
    })
  if (found.manager?.silent === true && journal.original.manager?.uplink?.managed === true)
    throw refusal(
      'NetworkManager does not answer, and is to have the uplink back',
      'nmcli general status says why; once it is ended, brdown goes on without it',
    )
  const { runDir } = session
  const left = rulesLeft(found, journal)
  if (left !== undefined && !args.force)
    throw new CommandError(
      'refused',
      `what ${bridge} has in the host's firewall cannot be taken away: ${left}`,
      {
        hint: 'look what nft list ruleset says; --force leaves it there',
      },
    )
  if (left !== undefined) session.say(`what ${bridge} has in the host's firewall stays there: ${left}`)
  const down = { journal, runDir }
  if (args.dryRun) return planOutcome({ plan: expectedPlan(found, down), sides, now: bootSeconds() })
  if (journal.raised === undefined) {
    const steps = stepsOf(expectedPlan(found, down))
    await takeBackPending(runDir, journal, session)
    return loweredOutcome(steps, sides, [])
  }
  const { steps: mending, before, journal: mended } = await mendFirst(session, journal, found)
  const losses = lostWithUplink(before, wayDown(before, { journal: mended, runDir }), sides)
  const { steps } = await runChange({
    ...session,
    journal: { ...asOfNow(mended, before), pending: { command: 'brdown', before } },
    sides,
    lift: liftSteps(before, goalDown(before, { journal: mended, runDir }), sides),
    goal: (now) => goalDown(now, { journal: mended, runDir }),
    check: () => Promise.resolve(),
    commit: () => {
      deleteJournal(runDir, bridge)
    },
  })
  forgetDetached(runDir, bridge, ports)
  forgetClientFiles(bridge)
  for (const guest of guests) session.say(`taken off ${bridge}: ${guest}`)
  for (const line of [...takenOut(found, sides), ...clientsGone(journal), ...losses]) session.say(line)
  return loweredOutcome([...mending, ...steps], sides, losses)
}

/** Those that nobody can begin again: their programs were removed meanwhile. */
const clientsGone = ({ original }: Journal): readonly string[] =>
  (original.clients ?? [])
    .filter(({ path }) => !isExecutable(path))
    .map(({ path, dev }) => `${path} is not there any more, and renews no lease of ${dev}`)

/** Why the rules that brup added to the host's firewall cannot be found, if it added any. */
function rulesLeft({ firewall }: NetworkState, { raised }: Journal): string | undefined {
  return (raised?.firewall?.rules.length ?? 0) > 0 ? firewall?.problem : undefined
}

interface Down {
  readonly journal: Journal
  readonly runDir: string
}

/** What the host should have off the bridge. What is on trial is taken back: there is nothing yet to be carried over. */
function wayDown(now: NetworkState, { journal, runDir }: Down): NetworkState {
  const { original, raised } = journal
  const sides = sidesOf(journal)
  const routing = routingWithout(runDir, journal, now.routing)
  const firewall = closedFirewall(now.firewall, { bridge: sides.bridge, before: original.firewall })
  if (raised === undefined || !isMove(sides)) return { ...original, routing, firewall }
  const clients = clientsBack({ original, raised, now, sides })?.filter(({ path }) => isExecutable(path))
  const isTold = journal.told.dhcp && own4(original, sides.uplink).length === 0
  const atCommit = isTold ? asIfLeased(raised, now, sides.bridge) : raised
  const at = bootSeconds()
  const lowered = loweredGoal(now, { sides, original, raised: atCommit, at })
  return { ...advertisedAgain(lowered, { original, at }), routing, firewall, clients }
}

const goalDown = (now: NetworkState, down: Down): NetworkState =>
  rebase(wayDown(now, down), now, sidesOf(down.journal))

interface Start {
  readonly steps: readonly Step[]
  readonly journal: Journal
  readonly before: NetworkState
}

/**
 * The way down begins on a bridge as brup left it: only there can the two sides be filled alike. One that cannot be mended is
 * left as it is found.
 */
async function mendFirst(session: Session, journal: Journal, found: NetworkState): Promise<Start> {
  const left = driftToMend(found, journal)
  if (left === undefined) return { steps: [], journal, before: found }
  try {
    const { steps, state } = await mend(session, { command: 'brdown', journal, left, before: found })
    return { steps, journal: asOfNow(journal, state), before: state }
  } catch (error) {
    if (!(error instanceof CommandError) || error.kind !== 'failed') throw error
    session.say(`${error.message}; going down all the same`)
    return { steps: [], journal, before: await observeQuiet(left.sides) }
  }
}

/** Where the uplink is no port of the bridge any more, there is nothing to go down from. */
function driftToMend(now: NetworkState, journal: Journal): Left | undefined {
  const left = leftBy(journal)
  const isPort = findLink(now, journal.uplink?.name)?.master === journal.bridge
  return left !== undefined && isPort && driftOf(now, left).length > 0 ? left : undefined
}

function expectedPlan(found: NetworkState, down: Down): Plan {
  const { journal } = down
  const sides = sidesOf(journal)
  const left = driftToMend(found, journal)
  if (left === undefined) return planWithLift(found, goalDown(found, down), sides)
  const mended = repairGoal(found, left)
  const plan = makePlan(mended, goalDown(mended, down), sides)
  return { ...plan, prepare: [...stepsOf(planWithLift(found, mended, sides)), ...plan.prepare] }
}

/** Without a journal there is nothing to undo; a bridge that is there all the same is somebody else's. */
async function nothingRaised(bridge: string): Promise<Outcome> {
  const state = await observeSides({ uplink: bridge, bridge })
  if (findLink(state, bridge) !== undefined)
    throw refusal(
      `${bridge} was not raised by brup`,
      // A script that brup printed may have moved the host there.
      addressesOf(state, bridge).some(({ scope }) => scope !== 'link')
        ? 'it has addresses: put them and its routes elsewhere before it goes'
        : `if it is yours: ip link del ${bridge}`,
    )
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
  if (uplink === undefined || findLink(now, uplink) !== undefined) return []
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
