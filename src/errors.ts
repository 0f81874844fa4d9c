/** What went wrong, in the words of the exit-code table (README, design of the commands). */
export type ErrorKind = 'usage' | 'config' | 'refused' | 'failed' | 'incomplete' | 'locked' | 'interrupted'

const exitCodes: Readonly<Record<Exclude<ErrorKind, 'interrupted'>, number>> = {
  failed: 1,
  usage: 2,
  config: 2,
  refused: 3,
  incomplete: 4,
  locked: 5,
}

/** An error that a user can read: `message` says what is so, `hint` the way out. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly kind: ErrorKind
  readonly exit: number
  readonly hint: string | undefined
  /** One line each: what is not as it should be (exit 4, and verification failures). */
  readonly differences: readonly string[]

  constructor(kind: Exclude<ErrorKind, 'interrupted'>, message: string, more?: ErrorDetails)
  constructor(kind: 'interrupted', message: string, more: ErrorDetails & { exit: number })
  constructor(kind: ErrorKind, message: string, more: ErrorDetails & { exit?: number } = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause })
    this.kind = kind
    this.exit = kind === 'interrupted' ? (more.exit ?? 1) : exitCodes[kind]
    this.hint = more.hint
    this.differences = more.differences ?? []
  }
}

export interface ErrorDetails {
  readonly hint?: string
  readonly differences?: readonly string[]
  readonly cause?: unknown
}

/** Exit 2: nothing was touched. */
export const usageError = (message: string, hint?: string): CommandError =>
  new CommandError('usage', message, hint === undefined ? {} : { hint })

/** Exit 3: refused before any change. */
export const refusal = (message: string, hint: string): CommandError =>
  new CommandError('refused', message, { hint })

/** The text of anything that was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** The name of a system error (`ENOSPC`), or the text of any other. */
export const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : messageOf(error)
