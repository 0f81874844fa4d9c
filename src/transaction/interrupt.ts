import { constants } from 'node:os'
import { CommandError } from '../errors.ts'

/** What a command that a signal ended says: exit 128 + n. */
export const interruption = (name: NodeJS.Signals, more?: string): CommandError =>
  new CommandError('interrupted', `ended by ${name}${more === undefined ? '' : `; ${more}`}`, {
    exit: 128 + constants.signals[name],
  })

/** The signal's reason is its name. */
export function throwIfInterrupted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw interruption(String(signal.reason) as NodeJS.Signals)
}
