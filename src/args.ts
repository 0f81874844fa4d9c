import minimist from 'minimist'
import { usageError } from './errors.ts'
import { linkName, parseDhcpRange, parseGateway, parseHostCidr } from './names.ts'
import type { Cidr, DhcpRange, IpAddress, LinkName } from './names.ts'
import { commandSpecs, exportKinds } from './options.ts'
import type { CommandName, CommandSpec, ExportKind, OptionSpec } from './options.ts'

interface CommonArgs {
  readonly bridge: LinkName | undefined
  readonly json: boolean
  readonly config: string | undefined
}

interface ChangeArgs extends CommonArgs {
  readonly all: boolean
  readonly dryRun: boolean
  readonly quiet: boolean
  readonly verbose: boolean
}

export interface BrupArgs extends ChangeArgs {
  readonly uplink: LinkName | undefined
  readonly hasNoUplink: boolean
  readonly nat: boolean
  readonly isFirewallStrict: boolean
  readonly dhcpRange: DhcpRange | undefined
  readonly dhcp: boolean
  readonly addresses: readonly Cidr[]
  /** At most one per family. */
  readonly gateways: readonly IpAddress[]
  /** `undefined`: the configuration decides, else `defaultCheckGatewaySeconds`. */
  readonly checkGatewaySeconds: number | undefined
  readonly trySeconds: number | undefined
  /** Excludes everything that asks for a change. */
  readonly accept: boolean
  /** Excludes everything that is about a change alone. */
  readonly exportKind: ExportKind | undefined
}

export interface BrdownArgs extends ChangeArgs {
  readonly force: boolean
}

export type BrstatusArgs = CommonArgs

export interface HookArgs {
  readonly tap: LinkName
}

export interface ArgsByCommand {
  readonly brup: BrupArgs
  readonly brdown: BrdownArgs
  readonly brstatus: BrstatusArgs
  readonly 'qemu-ifup': HookArgs
  readonly 'qemu-ifdown': HookArgs
}

export type ParsedArgs<Args> =
  { readonly kind: 'help' } | { readonly kind: 'version' } | { readonly kind: 'run'; readonly args: Args }

/** What minimist found, once the table has been applied. */
interface Given {
  readonly flag: (name: string) => boolean
  readonly all: (name: string) => readonly string[]
  readonly one: (name: string) => string | undefined
  readonly positional: string | undefined
}

/** Throws a usage error (exit 2) for all that the command's table does not allow. */
export function parseArgs<Name extends CommandName>(
  name: Name,
  argv: readonly string[],
): ParsedArgs<ArgsByCommand[Name]> {
  const spec = commandSpecs[name]
  const given = read(spec, argv)
  if (given.flag('help')) return { kind: 'help' }
  if (given.flag('version')) return { kind: 'version' }
  const { positional } = spec
  if (positional.required && given.positional === undefined)
    throw usageError(`${positional.name} is missing`, `usage: ${name} ${positional.name}`)
  return { kind: 'run', args: converters[name](given) }
}

const converters: { readonly [Name in CommandName]: (given: Given) => ArgsByCommand[Name] } = {
  brup: (given) => ({
    ...changeArgs(given),
    ...trialArgs(given),
    ...uplinkArgs(given),
    exportKind: exportKindOf(given),
    dhcpRange: maybe(given.one('dhcp-range'), (text) => parseDhcpRange(text, '--dhcp-range')),
    dhcp: given.flag('dhcp'),
    addresses: addressesOf(given.all('address')),
    gateways: onePerFamily(given.all('gateway').map((text) => parseGateway(text, '--gateway'))),
    checkGatewaySeconds: maybe(given.one('check-gateway'), (text) => seconds(text, '--check-gateway')),
    isFirewallStrict: given.flag('strict-firewall'),
  }),
  brdown: (given) => ({ ...changeArgs(given), force: given.flag('force') }),
  brstatus: (given) => commonArgs(given),
  'qemu-ifup': (given) => hookArgs(given),
  'qemu-ifdown': (given) => hookArgs(given),
}

function trialArgs(given: Given): Pick<BrupArgs, 'trySeconds' | 'accept'> {
  const accept = given.flag('accept')
  const others = [
    'uplink',
    'no-uplink',
    'nat',
    'dhcp-range',
    'dhcp',
    'address',
    'gateway',
    'check-gateway',
    'strict-firewall',
    'try',
    'dry-run',
    'export',
  ]
  const other = others.find((name) => given.all(name).length > 0 || given.flag(name))
  if (accept && other !== undefined) throw usageError(`--accept and --${other} exclude each other`)
  return { accept, trySeconds: maybe(given.one('try'), (text) => seconds(text, '--try', 1)) }
}

function exportKindOf(given: Given): ExportKind | undefined {
  const text = given.one('export')
  if (text === undefined) return undefined
  const other = ['try', 'check-gateway', 'strict-firewall', 'dry-run'].find((name) => given.flag(name))
  if (other !== undefined) throw usageError(`--export and --${other} exclude each other`)
  const kind = exportKinds.find((each) => each === text)
  if (kind === undefined)
    throw usageError(`--export ${JSON.stringify(text)} is not known`, `one of ${exportKinds.join(', ')}`)
  return kind
}

function uplinkArgs(given: Given): Pick<BrupArgs, 'uplink' | 'hasNoUplink' | 'nat'> {
  const own = ['no-uplink', 'nat'].find((name) => given.flag(name))
  const other = ['uplink', 'gateway', 'check-gateway', 'dhcp'].find((name) => given.flag(name))
  if (own !== undefined && other !== undefined) throw usageError(`--${own} and --${other} exclude each other`)
  const nat = given.flag('nat')
  return {
    hasNoUplink: own !== undefined,
    nat,
    uplink: maybe(given.one('uplink'), (text) => linkName(text, '--uplink')),
  }
}

const hookArgs = (given: Given): HookArgs => ({ tap: linkName(given.positional ?? '', 'tap') })

const commonArgs = (given: Given): CommonArgs => ({
  bridge: maybe(given.positional, (text) => linkName(text, 'bridge')),
  json: given.flag('json'),
  config: given.one('config'),
})

function changeArgs(given: Given): ChangeArgs {
  const [quiet, verbose] = [given.flag('quiet'), given.flag('verbose')]
  if (quiet && verbose) throw usageError('--quiet and --verbose exclude each other')
  const all = given.flag('all')
  const single = ['uplink', 'no-uplink', 'nat', 'dhcp-range', 'dhcp', 'address', 'gateway', 'try', 'accept']
  const other = single.find((name) => given.flag(name))
  if (all && other !== undefined) throw usageError(`--all and --${other} exclude each other`)
  if (all && given.positional !== undefined)
    throw usageError(`--all and ${given.positional} exclude each other`)
  return { ...commonArgs(given), all, dryRun: given.flag('dry-run'), quiet, verbose }
}

const maybe = <T>(text: string | undefined, convert: (text: string) => T): T | undefined =>
  text === undefined ? undefined : convert(text)

function addressesOf(texts: readonly string[]): readonly Cidr[] {
  const addresses = texts.map((text) => parseHostCidr(text, '--address'))
  const twice = addresses.find((one, i) => addresses.findIndex((other) => other.text === one.text) < i)
  if (twice !== undefined) throw usageError(`--address ${twice.text} is given more than once`)
  return addresses
}

/** Throws a usage error when two gateways are of one family. */
function onePerFamily(gateways: readonly IpAddress[]): readonly IpAddress[] {
  for (const family of [4, 6] as const) {
    const [, second] = gateways.filter((gateway) => gateway.family === family)
    if (second !== undefined) throw usageError(`--gateway ${second.text} is a second one for IPv${family}`)
  }
  return gateways
}

function seconds(text: string, what: string, least = 0): number {
  if (!/^\d{1,4}$/u.test(text) || Number(text) < least || Number(text) > 3600)
    throw usageError(`${what} ${JSON.stringify(text)} is not a whole number of seconds from ${least} to 3600`)
  return Number(text)
}

/**
 * minimist alone lets `--no-json`, `--json=false`, `--json true` and repetitions pass, so each option is checked
 * against the table first; a flag goes on as `--flag=true`, which keeps it from swallowing what comes next.
 */
function read(spec: CommandSpec, argv: readonly string[]): Given {
  const end = argv.includes('--') ? argv.indexOf('--') : argv.length
  const seen = new Set<string>()
  const options = argv
    .slice(0, end)
    .map((word) => (/^-./u.test(word) ? checkedOption(spec, word, seen) : word))
  const valued = spec.options.filter(({ value }) => value !== undefined).map(({ name }) => name)
  const parsed = minimist([...options, ...argv.slice(end)], { string: ['_', ...valued] })

  const [positional, surplus] = parsed._
  if (surplus !== undefined) throw usageError(`surplus argument ${JSON.stringify(surplus)}`, helpHint(spec))
  const all = (name: string) => ([parsed[name] ?? []] as (string | string[])[]).flat()
  for (const name of valued)
    if (all(name).includes('')) throw usageError(`--${name} needs a value`, helpHint(spec))
  return { positional, all, one: (name) => all(name)[0], flag: (name) => seen.has(name) }
}

function checkedOption(spec: CommandSpec, word: string, seen: Set<string>): string {
  const [dashed = '', ...value] = word.split('=')
  const option: OptionSpec | undefined = spec.options.find(({ name }) => `--${name}` === dashed)
  if (option === undefined) throw usageError(`unknown option ${dashed}`, helpHint(spec))
  if (seen.has(option.name) && option.repeatable !== true)
    throw usageError(`${dashed} is given more than once`)
  seen.add(option.name)
  if (option.value !== undefined) return word
  if (value.length > 0) throw usageError(`${dashed} takes no value`)
  return `${dashed}=true`
}

const helpHint = (spec: CommandSpec): string => `see ${spec.name} --help`
