import { CommandError, refusal } from '../errors.ts'
import { endProcess } from '../kernel/process.ts'
import { observe } from '../kernel/observe.ts'
import { findLink } from '../state.ts'
import { deleteJournal, journalledBridges, readJournal, writeJournal, type Journal } from './journal.ts'
import { rollBack } from './rollback.ts'

type Say = (line: string) => void

/**
 * Takes back what a command that died had under way, for every bridge of this namespace. Returns the journal of
 * `bridge` as it is then. Throws: exit 3 for a journal that cannot be used, 4 for a rollback that stays incomplete.
 */
export async function recover(runDir: string, bridge: string, say: Say): Promise<Journal | undefined> {
  for (const name of journalledBridges(runDir)) {
    const sight = readJournal(runDir, name)
    if (sight.kind === 'usable' && sight.journal.pending !== undefined)
      await recoverOne(runDir, sight.journal, say)
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
  if (journal?.pending === undefined) return journal
  throw refusal(
    `an unfinished ${journal.pending.command} of ${bridge} would be taken back first`,
    'run it without --dry-run',
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

async function refuseForeign(runDir: string, journal: Journal): Promise<void> {
  const { name, index, mac } = journal.uplink
  const link = findLink(await observe([]), name)
  if (link?.index === index && link.mac === mac) return
  throw refusal(
    `the journal of ${journal.bridge} in ${runDir} is about another ${name} (index ${index}, ${mac})`,
    'look at it, and remove it if that bridge is no longer there',
  )
}

async function recoverOne(runDir: string, journal: Journal, say: Say): Promise<void> {
  const { pending, bridge } = journal
  if (pending === undefined) return
  await refuseForeign(runDir, journal)
  if (pending.child !== undefined) await endProcess(pending.child)
  say(`${bridge}: taking back what an unfinished ${pending.command} left`)
  const onSpawn = (child: { pid: number; startTime: string }): void => {
    writeJournal(runDir, { ...journal, pending: { ...pending, child } })
  }
  const { differences } = await rollBack(journal, pending.before, { onSpawn })
  if (differences.length > 0)
    throw new CommandError('incomplete', `an unfinished ${pending.command} could not be taken back whole`, {
      hint: 'mend what is listed, then run it again',
      differences,
    })
  endPending(runDir, journal)
}

/** The change under way is over and taken back: the journal is as it was before it. */
export function endPending(runDir: string, journal: Journal): void {
  if (journal.raised === undefined) deleteJournal(runDir, journal.bridge)
  else writeJournal(runDir, { ...journal, pending: undefined })
}
