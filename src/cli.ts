import { parseArgs } from './args.ts'
import type { ParsedArgs } from './args.ts'
import { CommandError, messageOf } from './errors.ts'
import { helpText } from './help.ts'
import type { Command, Host, Outcome } from './host.ts'
import { commandSpecs } from './options.ts'
import type { CommandName } from './options.ts'
import { version } from './version.ts'

/** The options that matter here; read from the raw words, so that they count even when those do not parse. */
interface Manner {
  readonly json: boolean
  readonly verbose: boolean
  readonly quiet: boolean
  /** What goes to stdout is what was asked for, and not a report. */
  readonly isAsked: boolean
}

/** Runs one command to its exit code. All that it throws becomes text, and with `--json` a document. */
export async function runCommand<Args>(command: Command<Args>, host: Host): Promise<number> {
  const manner = mannerOf(command.name, host.argv)
  const tell = ({ outcome, error, thrown }: Done): void => {
    if (outcome !== undefined && !manner.json && (!manner.quiet || manner.isAsked)) host.stdout(outcome.text)
    if (error === undefined) return
    host.stderr(isHook(command.name) ? oneLine(command.name, error) : lines(command.name, error))
    if (manner.verbose && thrown instanceof Error && !(thrown instanceof CommandError))
      host.stderr(`${thrown.stack ?? ''}\n`)
  }
  const end = (ending: Ending): number => {
    const exit = ending.error?.exit ?? 0
    if (manner.json) host.stdout(document(command.name, exit, ending))
    return exit
  }
  try {
    // The type of `name` already says that the arguments are of this type.
    const parsed = parseArgs(command.name, host.argv) as ParsedArgs<Args>
    if (parsed.kind !== 'run') {
      host.stdout(parsed.kind === 'help' ? helpText(command.name) : `${command.name} ${version}\n`)
      return 0
    }
    const parts = command.each?.(parsed.args, host)
    if (parts !== undefined) return end(await runEach(command, parts, { host, tell }))
    const done = await runOne(command, parsed.args, host)
    tell(done)
    return end(done)
  } catch (thrown) {
    const done = { bridge: undefined, error: asCommandError(thrown), thrown }
    tell(done)
    return end(done)
  }
}

/** One bridge, or the whole of a command that has no bridge. */
interface Done {
  readonly bridge: string | undefined
  readonly outcome?: Outcome
  readonly error?: CommandError
  /** What the error was made of. */
  readonly thrown?: unknown
}

async function runOne<Args>(command: Command<Args>, args: Args, host: Host): Promise<Done> {
  let bridge: string | undefined
  try {
    bridge = command.bridge?.(args, host)
    return { bridge, outcome: await command.run(args, host) }
  } catch (thrown) {
    return { bridge, error: asCommandError(thrown), thrown }
  }
}

interface Means {
  readonly host: Host
  readonly tell: (done: Done) => void
}

/** One after the other; its error is the gravest. A signal ends them all. */
async function runEach<Args>(
  command: Command<Args>,
  parts: readonly Args[],
  { host, tell }: Means,
): Promise<Ending> {
  const all: Done[] = []
  for (const part of parts) {
    const done = await runOne(command, part, host)
    all.push(done)
    tell(done)
    if (done.error !== undefined && (command.goesOn !== true || host.signal.aborted)) break
  }
  const left = parts.slice(all.length).map((part) => command.bridge?.(part, host) ?? '')
  if (left.length > 0) host.stderr(`${command.name}: not attempted: ${left.join(', ')}\n`)
  const worst = Math.max(0, ...all.map(({ error }) => error?.exit ?? 0))
  const gravest = all.find(({ error }) => error?.exit === worst)
  return { bridge: gravest?.bridge, error: gravest?.error, bridges: all.map(partView), notAttempted: left }
}

const partView = ({ bridge, outcome, error }: Done): object => ({
  bridge,
  exit: error?.exit ?? 0,
  ...(error === undefined ? outcome?.json : errorView(error)),
})

const errorView = (error: CommandError | undefined): object => ({
  differences: error?.differences ?? [],
  error: error === undefined ? null : { kind: error.kind, message: error.message, hint: error.hint ?? null },
})

function mannerOf(name: CommandName, argv: readonly string[]): Manner {
  const words = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv
  const has = (option: string) =>
    words.includes(`--${option}`) && commandSpecs[name].options.some((spec) => spec.name === option)
  return {
    json: has('json'),
    verbose: has('verbose'),
    quiet: has('quiet'),
    isAsked: has('dry-run') || words.some((word) => /^--export(?:=|$)/u.test(word)),
  }
}

const isHook = (name: CommandName): boolean => commandSpecs[name].positional.required

const asCommandError = (thrown: unknown): CommandError =>
  thrown instanceof CommandError ? thrown : new CommandError('failed', messageOf(thrown), { cause: thrown })

const sentence = (name: CommandName, error: CommandError): string =>
  `${name}: ${error.message}${error.hint === undefined ? '' : ` (${error.hint})`}`

const lines = (name: CommandName, error: CommandError): string =>
  [sentence(name, error), ...error.differences.map((difference) => `  ${difference}`), ''].join('\n')

/** QEMU's console gets one line, whatever the message holds. */
const oneLine = (name: CommandName, error: CommandError): string =>
  `${[sentence(name, error), ...error.differences]
    .join('; ')
    .trim()
    .replace(/\s*\n\s*/gu, '; ')}\n`

interface Ending {
  readonly bridge: string | undefined
  readonly outcome?: Outcome | undefined
  readonly error?: CommandError | undefined
  /** With --all, what each has come to, and which had no turn. */
  readonly bridges?: readonly object[]
  readonly notAttempted?: readonly string[]
}

/** Version 1 of the document that `--json` prints; the outcome's fields win over the defaults. */
function document(command: CommandName, exit: number, ending: Ending): string {
  const { bridge, outcome, error, bridges, notAttempted } = ending
  const fields = {
    schema: 1,
    command,
    exit,
    bridge: bridge ?? null,
    steps: [],
    ...errorView(error),
    ...outcome?.json,
    ...(bridges === undefined ? {} : { bridges, notAttempted }),
  }
  return `${JSON.stringify(fields, undefined, 2)}\n`
}
