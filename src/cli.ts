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
  readonly dryRun: boolean
}

/** Runs one command to its exit code. All that it throws becomes text, and with `--json` a document. */
export async function runCommand<Args>(command: Command<Args>, host: Host): Promise<number> {
  const manner = mannerOf(command.name, host.argv)
  const tell = (outcome: Outcome): void => {
    if (!manner.json && (!manner.quiet || manner.dryRun)) host.stdout(outcome.text)
  }
  let bridge: string | undefined
  let done: readonly BridgeDone[] | undefined
  try {
    // The type of `name` already says that the arguments are of this type.
    const parsed = parseArgs(command.name, host.argv) as ParsedArgs<Args>
    if (parsed.kind !== 'run') {
      host.stdout(parsed.kind === 'help' ? helpText(command.name) : `${command.name} ${version}\n`)
      return 0
    }
    const parts = command.each?.(parsed.args, host)
    if (parts !== undefined) done = []
    let outcome: Outcome = { text: '', json: {} }
    for (const part of parts ?? [parsed.args]) {
      bridge = command.bridge?.(part, host)
      outcome = await command.run(part, host)
      tell(outcome)
      done = done && [...done, { bridge: bridge ?? '', ...outcome.json }]
    }
    if (manner.json)
      host.stdout(
        document(command.name, done === undefined ? { exit: 0, bridge, outcome } : { exit: 0, done }),
      )
    return 0
  } catch (thrown) {
    const error = asCommandError(thrown)
    if (manner.json) host.stdout(document(command.name, { exit: error.exit, bridge, error, done }))
    host.stderr(isHook(command.name) ? oneLine(command.name, error) : lines(command.name, error))
    if (manner.verbose && thrown instanceof Error && !(thrown instanceof CommandError))
      host.stderr(`${thrown.stack ?? ''}\n`)
    return error.exit
  }
}

function mannerOf(name: CommandName, argv: readonly string[]): Manner {
  const words = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv
  const has = (option: string) =>
    words.includes(`--${option}`) && commandSpecs[name].options.some((spec) => spec.name === option)
  return { json: has('json'), verbose: has('verbose'), quiet: has('quiet'), dryRun: has('dry-run') }
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

/** One of several. */
type BridgeDone = Readonly<Record<string, unknown>>

interface Ending {
  readonly exit: number
  readonly bridge?: string | undefined
  readonly outcome?: Outcome
  readonly error?: CommandError
  readonly done?: readonly BridgeDone[] | undefined
}

/** Version 1 of the document that `--json` prints; the outcome's fields win over the defaults. */
function document(command: CommandName, { exit, bridge, outcome, error, done }: Ending): string {
  const fields = {
    schema: 1,
    command,
    exit,
    bridge: bridge ?? null,
    steps: [],
    differences: error?.differences ?? [],
    error:
      error === undefined ? null : { kind: error.kind, message: error.message, hint: error.hint ?? null },
    ...outcome?.json,
    ...(done === undefined ? {} : { bridges: done }),
  }
  return `${JSON.stringify(fields, undefined, 2)}\n`
}
