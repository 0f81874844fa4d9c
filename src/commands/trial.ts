import { CommandError, refusal } from '../errors.ts'
import type { Host, Outcome } from '../host.ts'
import { sleep } from '../kernel/clock.ts'
import { isInForeground } from '../kernel/process.ts'
import { reachText } from '../report/outcome.ts'
import { interruption } from '../transaction/interrupt.ts'
import { readJournal, type Journal } from '../transaction/journal.ts'
import { withLock } from '../transaction/lock.ts'
import { takeBackPending } from '../transaction/recover.ts'
import { acceptTrial, isOnTrial, trialSecondsLeft } from '../transaction/trial.ts'
import type { Session } from './session.ts'

/** `brup --try`: the bridge is up and verified, and goes again unless somebody says that it may stay. */

interface Trial {
  readonly bridge: string
  /** What the command ends with when it is accepted. */
  readonly outcome: Outcome
}

/** How often is looked whether it was accepted from elsewhere, in milliseconds. */
const pause = 100

type Verdict = 'accepted' | 'ended' | 'over' | NodeJS.Signals

/**
 * Waits for Enter, for `brup --accept` or `brdown` from elsewhere, for a signal, or for the end of the time. SIGHUP ends
 * nothing: whose terminal hung up may come back and accept. Throws exit 1 when it is taken back, 128 + n after a signal.
 */
export async function awaitVerdict(host: Host, session: Session, trial: Trial): Promise<Outcome> {
  const { bridge, outcome } = trial
  const journal = usable(session, bridge)
  const left = journal === undefined ? undefined : trialSecondsLeft(journal)
  if (journal === undefined || left === undefined) return outcome
  session.watchdog.leaveTrial()
  const time = `${Math.ceil(left)} s`
  session.say(`${bridge} is on trial for ${time}: ${ways(bridge)}`)
  const verdict = await verdictOf(host, session, journal)
  if (verdict === 'accepted') return outcome
  await takeTrialBack(session, bridge)
  const put = 'everything was put back'
  if (verdict === 'ended') throw new CommandError('failed', `the trial of ${bridge} was ended; ${put}`)
  if (verdict === 'over') throw new CommandError('failed', `nobody accepted ${bridge} within ${time}; ${put}`)
  throw interruption(verdict, put)
}

const ways = (bridge: string): string => `brup ${bridge} --accept keeps it, brdown ${bridge} ends it`

async function verdictOf(host: Host, session: Session, { id, bridge }: Journal): Promise<Verdict> {
  const stop = new AbortController()
  const typed = { enter: false }
  if (host.stdinIsTerminal && isInForeground())
    void host.nextLine(stop.signal).then((line) => {
      typed.enter = line !== undefined
    })
  const clock = countdown(host, session)
  try {
    for (;;) {
      const journal = usable(session, bridge)
      if (journal?.id !== id) return 'ended'
      if (journal.pending === undefined) return 'accepted'
      const left = trialSecondsLeft(journal)
      if (left === undefined) return 'ended'
      if (left === 0) return 'over'
      const ending = host.received.find((name) => name !== 'SIGHUP')
      if (ending !== undefined) return ending
      if (typed.enter) await acceptNow(session, bridge)
      typed.enter = false
      clock.show(left)
      await sleep(pause)
    }
  } finally {
    stop.abort()
    clock.clear()
  }
}

/** One line that counts down, on a terminal. */
function countdown(host: Host, { isQuiet }: Session): { show: (left: number) => void; clear: () => void } {
  if (!host.stderrIsTerminal || isQuiet) return { show: () => undefined, clear: () => undefined }
  const how = host.stdinIsTerminal ? 'press Enter to keep it, ' : ''
  let shown = ''
  return {
    show: (left) => {
      const text = `\r  ${how}${Math.ceil(left)} s left `
      if (text !== shown) host.stderr(text.padEnd(shown.length))
      shown = text
    },
    clear: () => {
      if (shown !== '') host.stderr(`\r${' '.repeat(shown.length)}\r`)
    },
  }
}

/** The end of a trial is not interrupted: neither by the signal that brought it, nor by a second one. */
const inLock = <T>({ runDir }: Session, work: () => Promise<T>): Promise<T> =>
  withLock({ runDir, signal: new AbortController().signal, onWait: () => undefined }, work)

const usable = ({ runDir }: Session, bridge: string): Journal | undefined => {
  const sight = readJournal(runDir, bridge)
  return sight.kind === 'usable' ? sight.journal : undefined
}

const acceptNow = (session: Session, bridge: string): Promise<void> =>
  inLock(session, () => {
    const journal = usable(session, bridge)
    if (journal !== undefined && isOnTrial(journal)) acceptTrial(session.runDir, journal)
    return Promise.resolve()
  })

/** Unless somebody was faster. */
const takeTrialBack = (session: Session, bridge: string): Promise<void> =>
  inLock(session, async () => {
    const journal = usable(session, bridge)
    if (journal?.pending !== undefined) await takeBackPending(session.runDir, journal, session)
  })

/** `brup --accept`: done as well where it was accepted before. Throws (exit 3) where there is nothing to accept. */
export function accept(session: Session, bridge: string): Outcome {
  const { journal, runDir } = session
  if (journal === undefined)
    throw refusal(`${bridge} is not on trial: it is not up`, `run brup ${bridge} --try SECONDS`)
  const { uplink, told } = journal
  const reach = { uplink: uplink?.name, nat: told.nat }
  const done = acceptTrial(runDir, journal)
  return {
    text: `${bridge} is kept${done ? '' : ' already'}, ${reachText(reach)}\n`,
    json: { bridge, uplink: uplink?.name ?? null, nat: told.nat },
  }
}

/** Another change may not begin on what may yet be taken back. */
export function refuseOnTrial(journal: Journal | undefined): void {
  if (journal === undefined || !isOnTrial(journal)) return
  const left = Math.ceil(trialSecondsLeft(journal) ?? 0)
  const { bridge } = journal
  throw refusal(`${bridge} is on trial for another ${left} s`, ways(bridge))
}
