import { commandSpecs } from './options.ts'
import type { CommandName, CommandSpec } from './options.ts'

type Row = readonly [string, string]

/** The same for all commands. */
export const exitCodes: readonly Row[] = [
  ['0', 'done, or already so'],
  ['1', 'failed; everything was rolled back, and that was verified'],
  ['2', 'wrong usage or configuration; nothing was touched'],
  ['3', 'refused before any change, with the reason and the way out'],
  ['4', 'failed and the rollback is incomplete: stderr lists each difference that is left'],
  ['5', 'another brup or brdown holds the lock and did not finish in time'],
  ['128+n', 'ended by signal n; everything was rolled back'],
]

const files: readonly Row[] = [
  ['/etc/qemu-tap-hooks/config.toml', 'configuration'],
  ['/run/qemu-tap-hooks/NETNS/', 'journals and lock, per network namespace'],
]

const environment: readonly Row[] = [
  ['QEMU_TAP_HOOKS_CONFIG', 'configuration file'],
  ['QEMU_TAP_HOOKS_RUN_DIR', 'instead of /run/qemu-tap-hooks, for tests'],
]

const hookEnvironment: readonly Row[] = [['QEMU_TAP_BRIDGE', 'the bridge that the tap joins'], ...environment]

const whichBridge = `The bridge of a tap, first match wins: QEMU_TAP_BRIDGE; the suffix of the name by which the
hook was started (a symlink qemu-ifup.br10 means br10); the first [[tap]] rule of the
configuration that fits; default_bridge of the configuration; br0.
`

/** The text of `--help`. */
export function helpText(name: CommandName): string {
  const spec = commandSpecs[name]
  const hook = spec.positional.required
  return [
    `usage: ${usageLine(spec)}\n`,
    `${spec.summary}\n`,
    section('arguments', [[spec.positional.name, spec.positional.help]]),
    section('options', optionRows(spec)),
    ...(hook ? [whichBridge] : []),
    section('exit codes', exitCodes),
    section('files', files),
    section('environment', hook ? hookEnvironment : environment),
  ].join('\n')
}

const usageLine = ({ name, positional }: CommandSpec): string =>
  `${name} [OPTION]... ${positional.required ? positional.name : `[${positional.name}]`}`

const optionRows = (spec: CommandSpec): readonly Row[] =>
  spec.options.map(({ name, value, help }) => [`--${name}${value === undefined ? '' : ` ${value}`}`, help])

function section(title: string, rows: readonly Row[]): string {
  const width = Math.max(...rows.map(([left]) => left.length))
  return `${title}:\n${rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`).join('')}`
}
