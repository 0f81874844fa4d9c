import { readFileSync } from 'node:fs'
import { parse, TomlError } from 'smol-toml'
import * as v from 'valibot'
import { allowedKeys, configSchema } from './config-schema.ts'
import type { Config } from './config-schema.ts'
import { CommandError, messageOf } from './errors.ts'
import { fitsGlob } from './glob.ts'
import { linkName } from './names.ts'
import type { LinkName, PortWish } from './names.ts'
import { lineOf } from './toml-lines.ts'
import type { KeyPath } from './toml-lines.ts'

type Environment = Readonly<Record<string, string | undefined>>

const defaultFile = '/etc/qemu-tap-hooks/config.toml'

const configError = (message: string, cause?: unknown): CommandError =>
  new CommandError('config', message, { cause })

/**
 * The file that `--config` names, else QEMU_TAP_HOOKS_CONFIG, else the default one, which alone may be absent.
 * Throws a config error (exit 2) with file, line and key.
 */
export function loadConfig(path: string | undefined, env: Environment): Config {
  const named = path ?? nonEmpty(env['QEMU_TAP_HOOKS_CONFIG'])
  return parseConfig(readText(named ?? defaultFile, named === undefined), named ?? defaultFile)
}

const nonEmpty = (text: string | undefined): string | undefined => (text === '' ? undefined : text)

function readText(file: string, mayBeAbsent: boolean): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file))
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (mayBeAbsent && code === 'ENOENT') return ''
    if (code === 'ENOENT') throw configError(`configuration file ${file} does not exist`, error)
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') throw configError(`${file} is not UTF-8 text`, error)
    throw configError(`configuration file ${file} cannot be read: ${messageOf(error)}`, error)
  }
}

/** The text of a configuration file, checked; `file` is for messages. */
export function parseConfig(toml: string, file: string): Config {
  const result = v.safeParse(configSchema, parseToml(toml, file), { abortPipeEarly: true })
  if (result.success) return deepFreeze(result.output)
  const [issue] = result.issues
  const path = (issue.path ?? []).map((item) => item.key as string | number)
  throw configError(`${file}:${lineOf(toml, path)}: ${describe(issue, path)}`)
}

function parseToml(toml: string, file: string): unknown {
  try {
    return parse(toml)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const [first = ''] = error.message.replace(/^Invalid TOML document: /u, '').split('\n')
    throw configError(`${file}:${error.line}:${error.column}: not TOML: ${first}`, error)
  }
}

/** What is wrong, with the key as a person would point at it: `bridge[2].address[1]`, counted from 1. */
function describe(issue: v.BaseIssue<unknown>, path: KeyPath): string {
  const key = keyText(path)
  if (issue.type !== 'strict_object') return `${key} ${issue.message}`
  const names = path.filter((step) => typeof step === 'string')
  const table = issue.expected === 'Object' ? names : names.slice(0, -1)
  const keys = allowedKeys[table.join('.')] ?? ''
  if (issue.expected === 'never') return `unknown key ${key} (allowed: ${keys})`
  if (issue.expected === 'Object') return `${key} is not a table (allowed: ${keys})`
  return `${key} is missing (allowed: ${keys})`
}

const keyText = (path: KeyPath): string =>
  path.map((key, i) => (typeof key === 'number' ? `[${key + 1}]` : `${i === 0 ? '' : '.'}${key}`)).join('')

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze)
  return value
}

/** How the port of this guest is to be dealt with: by the first `[[tap]]` that fits, and by its bridge. */
export function portWishFor(tapName: string, bridge: string, { taps, bridges }: Config): PortWish {
  const rule = taps.find(({ match }) => fitsGlob(match, tapName))
  const isolatedThere = bridges.find(({ name }) => name === bridge)?.isolated ?? false
  return {
    isolated: rule?.isolated ?? isolatedThere,
    hairpin: rule?.hairpin ?? false,
    mac: rule?.mac,
    pvid: rule?.pvid,
    trunk: rule?.trunk ?? [],
  }
}

export interface Caller {
  readonly env: Environment
  /** The name by which the hook was started. */
  readonly programName: string
  readonly config: Config
}

/**
 * The bridge that a tap joins, first match wins: QEMU_TAP_BRIDGE; the suffix of the hook's name
 * (`qemu-ifup.br10`); the first `[[tap]]` that fits; `default_bridge` (br0). Throws a config error for a bad name.
 */
export function bridgeForTap(tapName: string, { env, programName, config }: Caller): LinkName {
  const fromEnvironment = nonEmpty(env['QEMU_TAP_BRIDGE'])
  if (fromEnvironment !== undefined) return checkedName(fromEnvironment, 'QEMU_TAP_BRIDGE')
  const suffix = /^qemu-if(?:up|down)\.(.+)$/su.exec(programName)?.[1]
  if (suffix !== undefined)
    return checkedName(suffix, `bridge (from the name ${JSON.stringify(programName)})`)
  return config.taps.find(({ match }) => fitsGlob(match, tapName))?.bridge ?? config.defaultBridge
}

function checkedName(text: string, what: string): LinkName {
  try {
    return linkName(text, what)
  } catch (error) {
    throw configError(messageOf(error), error)
  }
}
