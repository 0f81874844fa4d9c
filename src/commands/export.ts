import { randomBytes } from 'node:crypto'
import type { Outcome } from '../host.ts'
import type { ExportKind } from '../options.ts'
import { driftOf } from '../plan/drift.ts'
import type { Sides } from '../plan/footprint.ts'
import { permanentOf, type Permanent } from '../plan/permanent.ts'
import { exportOf, exportOutcome } from '../report/export/kinds.ts'
import { leftBy, sidesOf, type Journal } from '../transaction/journal.ts'
import { observeQuiet, observeSides } from '../transaction/verify.ts'
import { goalOf, uplinkOf } from './goal.ts'
import { refuseUnfit } from './refuse.ts'
import { refuseOther, refuseStrangers } from './repair.ts'
import type { Session } from './session.ts'
import { refuseOnTrial } from './trial.ts'
import { expectWhole, toldTexts, type Wish } from './wish.ts'

/** `brup --export`: the bridge as it is, or as brup would make it. Nothing is changed, and nobody is waited for. */
export async function exportBridge(wish: Wish, session: Session, kind: ExportKind): Promise<Outcome> {
  const { journal } = session
  refuseOnTrial(journal)
  const permanent =
    journal === undefined ? await foreseen(wish, session) : await raised(wish, session, journal)
  for (const note of exportOf(kind, permanent).notes) session.say(note)
  return exportOutcome(kind, permanent)
}

/** Whoever manages the uplink by now is to be told, so he is not in the way. */
async function foreseen(wish: Wish, { runDir }: Session): Promise<Permanent> {
  expectWhole(wish)
  const sides: Sides = { uplink: await uplinkOf(wish), bridge: wish.bridge }
  const before = await observeSides(sides)
  refuseUnfit(before, sides, wish)
  const id = randomBytes(5).toString('hex')
  return permanentOf(await goalOf(before, { wish, sides, id, runDir }), {
    sides,
    ...toldTexts(wish),
  })
}

async function raised(wish: Wish, { runDir, say }: Session, journal: Journal): Promise<Permanent> {
  const sides = sidesOf(journal)
  refuseOther(wish, journal, runDir)
  const now = await observeQuiet(sides)
  refuseStrangers(now, journal, sides)
  const left = leftBy(journal)
  if (left !== undefined && driftOf(now, left).length > 0)
    say(`${sides.bridge} is not as brup left it (see brstatus); it is written down as it is`)
  return permanentOf(now, {
    sides,
    ...journal.told,
  })
}
