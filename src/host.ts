import type { ArgsByCommand } from './args.ts'
import type { CommandName } from './options.ts'

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
  /** Aborted when SIGINT, SIGTERM, SIGHUP or SIGQUIT arrives; the reason is that name. */
  readonly signal: AbortSignal
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
  readonly run: (args: Args, host: Host) => Promise<Outcome>
}
