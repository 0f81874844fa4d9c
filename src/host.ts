import type { ArgsByCommand } from './args.ts'
import type { CommandName } from './options.ts'

/** By which name a process knows that it is to watch over a change (argv[0]; no shell can give it by accident). */
export const watchdogName = 'qemu-tap-hooks-watchdog'

/** All that a command may know of its process. */
export interface Host {
  readonly argv: readonly string[]
  /** The base name by which it was started, a symlink's own name kept: `qemu-ifup.br10`. */
  readonly programName: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdout: (text: string) => void
  readonly stderr: (text: string) => void
  readonly stdoutIsTerminal: boolean
  readonly stderrIsTerminal: boolean
  /** The next line of stdin, or `undefined` at its end or when the signal comes first. */
  readonly nextLine: (signal?: AbortSignal) => Promise<string | undefined>
  /** Whether somebody can type: stdin is a terminal, and this process in its foreground. */
  readonly stdinIsTerminal: boolean
  /** What runs this program again, without arguments. */
  readonly program: readonly string[]
  /** Aborted when SIGINT, SIGTERM, SIGHUP or SIGQUIT arrives; the reason is that name. */
  readonly signal: AbortSignal
  /** The names of all that have arrived so far, in order. */
  readonly received: readonly NodeJS.Signals[]
}

export interface Outcome {
  /** For stdout, without `--json`; ends with a newline or is empty. */
  readonly text: string
  /** What the JSON document holds beyond its fixed fields, or instead of their defaults. */
  readonly json: Readonly<Record<string, unknown>>
}

/** The commands whose arguments are of this type. */
type NameFor<Args> = {
  [Name in CommandName]: [Args, ArgsByCommand[Name]] extends [ArgsByCommand[Name], Args] ? Name : never
}[CommandName]

export interface Command<Args> {
  readonly name: NameFor<Args>
  /** The bridge that it is about, for the JSON document. */
  readonly bridge?: (args: Args, host: Host) => string
  /** With --all: the arguments for each bridge, in order. Else `undefined`. */
  readonly each?: (args: Args, host: Host) => readonly Args[] | undefined
  /** With --all: one that fails does not keep the others from their turn. */
  readonly goesOn?: boolean
  readonly run: (args: Args, host: Host) => Promise<Outcome>
}
