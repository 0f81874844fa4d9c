import { constants } from 'node:os'
import { CommandError } from '../errors.ts'

/** What a command that a signal ended says: exit 128 + n. The signal's reason is its name. */
function interruption(signal: AbortSignal): CommandError {
  const name = String(signal.reason) as NodeJS.Signals
  return new CommandError('interrupted', `ended by ${name}`, { exit: 128 + constants.signals[name] })
}

export function throwIfInterrupted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw interruption(signal)
}
