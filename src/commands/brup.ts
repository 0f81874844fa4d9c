import { randomBytes } from 'node:crypto'
import type { BrupArgs } from '../args.ts'
import { loadConfig } from '../config.ts'
import type { Command, Host, Outcome } from '../host.ts'
import { bootId, bootSeconds } from '../kernel/clock.ts'
import type { Sides } from '../plan/footprint.ts'
import { routedFamilies } from '../plan/goals.ts'
import { makePlan } from '../plan/planner.ts'
import { planOutcome, raisedOutcome } from '../report/outcome.ts'
import { findLink, type NetworkState } from '../state.ts'
import { runChange } from '../transaction/change.ts'
import { prepareChecks, refuseCheck } from '../transaction/checks.ts'
import { readJournal, writeJournal, type Journal } from '../transaction/journal.ts'
import { routedFor } from '../transaction/routed.ts'
import { namespaceInode, runDirOf } from '../transaction/run-dir.ts'
import { observeSides } from '../transaction/verify.ts'
import { beginTrial } from '../transaction/trial.ts'
import { attachAgain } from './attach.ts'
import { everyBridge } from './each.ts'
import { exportBridge } from './export.ts'
import { tellOfFirewall } from './firewall.ts'
import { goalOf, uplinkOf } from './goal.ts'
import { awaitLease, ownersOf } from './owners.ts'
import { refuse } from './refuse.ts'
import { repair } from './repair.ts'
import { inSession, type Session } from './session.ts'
import { accept, awaitVerdict, refuseOnTrial } from './trial.ts'
import { bridgeOf, expectWhole, openingFor, toldTexts, wishOf, type Wish } from './wish.ts'

export const brup: Command<BrupArgs> = {
  name: 'brup',
  bridge: bridgeOf,
  each: everyWish,
  run: async (args, host) => {
    const wish = wishOf(args, loadConfig(args.config, host.env))
    const { bridge } = wish
    const { dryRun, exportKind } = args
    return inSession(host, {
      ...args,
      dryRun: dryRun || exportKind !== undefined,
      name: 'brup',
      bridge,
      work: async (session) => {
        if (exportKind !== undefined) return exportBridge(wish, session, exportKind)
        return args.accept ? accept(session, bridge) : raise({ ...wish, dryRun }, session)
      },
      afterwards: async (outcome, session) => awaitVerdict(host, session, { bridge, outcome }),
    })
  },
}

/** What is wrong with one is said before the first is raised; one that is up may be meant with less. */
function everyWish(args: BrupArgs, host: Host): readonly BrupArgs[] | undefined {
  const all = everyBridge(args, host)
  for (const each of all ?? []) {
    const wish = wishOf(each, loadConfig(args.config, host.env))
    if (readJournal(runDirOf(host.env), wish.bridge).kind === 'none') expectWhole(wish)
  }
  return all
}

async function raise(wish: Wish & { readonly dryRun: boolean }, session: Session): Promise<Outcome> {
  const { bridge, trySeconds } = wish
  const { runDir } = session
  refuseOnTrial(session.journal)
  if (session.journal !== undefined) return repair(wish, session, session.journal)
  expectWhole(wish)
  const sides: Sides = { uplink: await uplinkOf(wish), bridge }
  const before = await observeSides(sides)
  await refuse(before, sides, wish)
  refuseCheck(wish.check)
  const id = randomBytes(5).toString('hex')
  const needs = openingFor(wish, id, sides.uplink)
  await tellOfFirewall(before, sides, { wish, needs, say: session.say })
  const goal = await goalOf(before, { wish, sides, id, runDir })
  if (wish.dryRun)
    return planOutcome({
      plan: makePlan(before, goal, sides),
      sides,
      now: bootSeconds(),
      owners: ownersOf(before, goal, sides),
    })
  const journal = newJournal(wish, { runDir, before, sides, id })
  const check = await prepareChecks(wish, { ...session, goal, sides })
  const { steps } = await runChange({
    ...session,
    journal,
    sides,
    goal: () => goal,
    check,
    commit: (raised) => {
      if (trySeconds === undefined) writeJournal(runDir, { ...journal, pending: undefined, raised })
      else beginTrial(runDir, journal, { seconds: trySeconds, raised })
    },
  })
  if (wish.dhcp) await awaitLease(sides, session)
  await attachAgain(session, bridge, wish)
  return raisedOutcome(steps, { ...sides, nat: wish.nat })
}

function newJournal(
  wish: Wish,
  { runDir, before, sides, id }: { runDir: string; before: NetworkState; sides: Sides; id: string },
): Journal & { pending: NonNullable<Journal['pending']> } {
  const link = findLink(before, sides.uplink)
  return {
    schema: 1,
    id,
    bootId: bootId(),
    namespace: namespaceInode(),
    bridge: sides.bridge,
    uplink: link === undefined ? undefined : { name: link.name, index: link.index, mac: link.mac },
    adopted: findLink(before, sides.bridge) !== undefined,
    told: toldTexts(wish),
    routed: routedFor(routedFamilies(wish), { runDir, bridge: sides.bridge, now: before.routing }),
    // A dnsmasq that is left of an earlier bridge is of no use to anybody.
    original: { ...before, dnsmasq: undefined },
    pending: { command: 'brup', before },
  }
}
