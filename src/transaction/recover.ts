import { CommandError, refusal } from '../errors.ts'
import { forgetClientFiles } from '../kernel/dhcp-clients.ts'
import { endProcess, type ProcessId } from '../kernel/process.ts'
import { observe } from '../kernel/observe.ts'
import { isOurBridge, readMark } from '../plan/marks.ts'
import { findLink, type NetworkState } from '../state.ts'
import { rememberDetached } from './detached-taps.ts'
import { guestsOn, guestTexts } from './guests.ts'
import {
  asOfNow,
  deleteJournal,
  journalledBridges,
  readJournal,
  sidesOf,
  writeJournal,
  type Journal,
} from './journal.ts'
import { rollBack } from './rollback.ts'
import { isOnTrial } from './trial.ts'

interface RecoverOptions {
  readonly say: (line: string) => void
  /** Called before anything is taken back. */
  readonly guard?: () => Promise<void>
  /** Whether a trial ends although its time is not over. */
  readonly trialsToo?: boolean
}

/**
 * Takes back what a command that died had under way, and trials whose time is over, for every bridge of this
 * namespace. Returns the journal of `bridge` as it is then. Throws: exit 3 for a journal that cannot be used, 4 for a rollback that stays incomplete.
 */
export async function recover(
  runDir: string,
  bridge: string,
  options: RecoverOptions,
): Promise<Journal | undefined> {
  const { say, trialsToo } = options
  for (const name of journalledBridges(runDir)) {
    const sight = readJournal(runDir, name)
    if (sight.kind === 'usable' && (trialsToo === true || !isOnTrial(sight.journal)))
      await takeBackPending(runDir, sight.journal, options)
    if (sight.kind === 'unusable' && name !== bridge)
      say(`the journal ${sight.path} ${sight.reason}; it is left alone`)
  }
  const journal = usableJournal(runDir, bridge)
  if (journal !== undefined) await refuseForeign(runDir, journal)
  return journal
}

/** The journal for a dry run. Throws (exit 3) when a change has to be taken back first. */
export async function settledJournal(runDir: string, bridge: string): Promise<Journal | undefined> {
  const journal = usableJournal(runDir, bridge)
  if (journal !== undefined) await refuseForeign(runDir, journal)
  if (journal?.pending === undefined || isOnTrial(journal)) return journal
  throw refusal(
    `an unfinished ${journal.pending.command} of ${bridge} would be taken back first`,
    `brup ${bridge} or brdown ${bridge} does that`,
  )
}

function usableJournal(runDir: string, bridge: string): Journal | undefined {
  const sight = readJournal(runDir, bridge)
  if (sight.kind === 'none') return undefined
  if (sight.kind === 'unusable')
    throw refusal(
      `the journal ${sight.path} ${sight.reason}`,
      'look at it, and remove it if that bridge is no longer there',
    )
  return sight.journal
}

/**
 * Whether a journal is about what is there: the same uplink; or our bridge, by its mark or as the very link of the commit, whose
 * uplink was given another MAC by hand, was taken out of the machine, or was plugged in again. A bridge without an uplink may
 * also be gone.
 */
function isAbout({ links }: NetworkState, journal: Journal): boolean {
  const { id, bridge, raised, uplink } = journal
  const made = findLink({ links }, bridge)
  if (uplink === undefined) return made === undefined || isOurBridge(made, journal)
  const { name, index, mac } = uplink
  const link = findLink({ links }, name)
  const then = raised === undefined ? undefined : findLink(raised, bridge)
  if (link?.index === index && link.mac === mac) return true
  const isOurs = readMark(made)?.id === id || (made?.index === then?.index && made?.mac === then?.mac)
  if (made === undefined || !isOurs) return false
  if (link?.index === index) return true
  if (links.some((other) => other.index === index)) return false
  return link === undefined || link.mac === mac
}

async function refuseForeign(runDir: string, journal: Journal): Promise<void> {
  if (isAbout(await observe([]), journal)) return
  const { bridge, uplink } = journal
  const what = uplink === undefined ? bridge : `${uplink.name} (index ${uplink.index}, ${uplink.mac})`
  throw refusal(
    `the journal of ${bridge} in ${runDir} is about another ${what}`,
    'look at it, and remove it if that bridge is no longer there',
  )
}

/** Throws exit 4 when it stays incomplete: it is in the journal still. */
export async function takeBackPending(
  runDir: string,
  journal: Journal,
  { say, guard }: RecoverOptions,
): Promise<void> {
  const { pending, bridge } = journal
  if (pending === undefined) return
  await refuseForeign(runDir, journal)
  await guard?.()
  if (pending.child !== undefined) await endProcess(pending.child)
  say(
    pending.trial === undefined
      ? `${bridge}: taking back what an unfinished ${pending.command} left`
      : `${bridge}: taking back what was on trial`,
  )
  const guests = guestsOn(await observe([]), sidesOf(journal), pending.before)
  rememberDetached(runDir, bridge, guests)
  const taken = guestTexts(guests)
  const { command, before } = pending
  const record = (child?: ProcessId): void => {
    writeJournal(runDir, { ...journal, pending: { command, before, child } })
  }
  if (pending.trial !== undefined) endInJournal(record)
  const { differences } = await rollBack(journal, before, { runDir, onSpawn: record })
  for (const guest of taken) say(`taken off ${bridge}: ${guest}`)
  if (differences.length > 0)
    throw new CommandError('incomplete', `an unfinished ${pending.command} could not be taken back whole`, {
      hint: 'mend what is listed, then run it again',
      differences,
    })
  await endPending(runDir, journal)
}

/** From here on it is no trial: whoever finds us dead goes on with it at once. Else, when its time is over. */
function endInJournal(record: () => void): void {
  try {
    record()
  } catch {
    // A run directory that is full is no reason to leave the network as it is.
  }
}

/** The change under way is over and taken back: the journal is as it was before it, but for links that were made anew. */
export async function endPending(runDir: string, journal: Journal): Promise<void> {
  if (journal.raised === undefined) {
    deleteJournal(runDir, journal.bridge)
    forgetClientFiles(journal.bridge)
  } else writeJournal(runDir, { ...asOfNow(journal, await observe([])), pending: undefined })
}
