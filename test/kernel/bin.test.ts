import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'

/** The built files by themselves: any place, any name, no environment. Nothing here needs a network. */

const bin = fileURLToPath(new URL('../../dist/bin/', import.meta.url))
const { version } = JSON.parse(readFileSync(join(bin, '../../package.json'), 'utf8')) as { version: string }
const directory = mkdtempSync(join(tmpdir(), 'bin-test-'))
afterAll(() => rmSync(directory, { recursive: true }))

function run(
  file: string,
  args: readonly string[] = [],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
) {
  const { status, stdout, stderr } = spawnSync(file, args, {
    encoding: 'utf8',
    cwd: '/',
    env: {},
    ...options,
  })
  return { status, stdout, stderr }
}

describe.each(['brup', 'brdown', 'brstatus', 'qemu-ifup', 'qemu-ifdown'])('%s', (name) => {
  const file = join(bin, name)
  const says = { status: 0, stdout: `${name} ${version}\n`, stderr: '' }

  test('runs with an empty environment', () => {
    expect(run(file, ['--version'])).toEqual(says)
    expect(run(file, ['--help']).stdout).toMatch(new RegExp(`^usage: ${name} `, 'u'))
  })

  test('runs by its name in its own directory, with nothing else in PATH', () => {
    expect(run(`./${name}`, ['--version'], { cwd: bin, env: { PATH: '.' } })).toEqual(says)
  })

  test('runs through a symlink', () => {
    const link = join(directory, `${name}.br10`)
    symlinkSync(file, link)
    expect(run(link, ['--version'])).toEqual(says)
  })

  test.each(['commonjs', 'module'])('runs as a copy in a package of type %s', (type) => {
    const place = join(directory, `${name} $(false) ${type}`)
    mkdirSync(place)
    writeFileSync(join(place, 'package.json'), JSON.stringify({ type }))
    copyFileSync(file, join(place, name))
    expect(run(join(place, name), ['--version'])).toEqual(says)
  })

  test("is not led astray by the caller's node settings", () => {
    const env = { NODE_OPTIONS: '--require /nonexistent', NODE_PATH: directory, PATH: directory }
    writeFileSync(join(directory, 'node'), '#!/bin/sh\necho caught\n', { mode: 0o755 })
    expect(run(file, ['--version'], { env })).toEqual(says)
  })

  test('hands its arguments on as they are', () => {
    const { status, stderr } = run(file, ['--no-such "$(id)" \n x'])
    expect([status, stderr]).toEqual([2, expect.stringContaining('unknown option --no-such "$(id)"')])
  })
})

test('a closed stdout does not end a command early', () => {
  const { status } = spawnSync('/bin/sh', ['-c', 'exec "$0" --help >&-', join(bin, 'brup')], { env: {} })
  expect(status).toBe(0)
  const piped = spawnSync('/bin/sh', ['-c', '{ "$0" --help; echo "exit $?" >&2; } | :', join(bin, 'brup')], {
    env: {},
    encoding: 'utf8',
  })
  expect(piped.stderr).toBe('exit 0\n')
})
