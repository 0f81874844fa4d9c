import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { expect, test } from 'vitest'

import { readmePath, withGenerated } from '../../dev/readme/parts.ts'
import { parseConfig } from '../../src/config.ts'
import { commandSpecs } from '../../src/options.ts'

const readme = readFileSync(readmePath, 'utf8')
const root = dirname(readmePath)

test('the tables of options and exit codes are those of the code (npx tsx dev/readme.ts writes them)', () => {
  expect(readme).toBe(withGenerated(readme))
})

test('the configuration example is one', () => {
  const toml = /```toml\n([^]*?)```/.exec(readme)?.[1] ?? ''
  const config = parseConfig(toml, 'README.md')
  expect(config.bridges.map(({ name, uplink }) => [name, uplink])).toEqual([['br0', 'eth0']])
  expect(config.taps.map(({ match, bridge }) => [match, bridge])).toEqual([['lab*', 'br10']])
})

test('each npm script that it names is there', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  const named = [...readme.matchAll(/npm (?:run )?(test|demo|build|check)\b/g)].map((match) => match[1] ?? '')
  expect(new Set(named)).toEqual(new Set(['demo', 'test', 'build']))
  for (const name of named) expect(scripts).toHaveProperty(name)
})

test('each command has its row, and each option that a shell line uses is one', () => {
  for (const name of Object.keys(commandSpecs)) expect(readme).toContain(`| \`${name} `)
  const lines = [...readme.matchAll(/^(?:sudo )?(brup|brdown|brstatus) *(--\S+)?/gm)]
  expect(lines.length).toBeGreaterThan(3)
  for (const [, name, option] of lines)
    if (option !== undefined)
      expect(commandSpecs[name as 'brup'].options.map((spec) => `--${spec.name}`)).toContain(option)
})

test('its links lead to files', () => {
  const links = [...readme.matchAll(/\]\(([^)]+)\)/g)].map((match) => match[1] ?? '')
  expect(links.length).toBeGreaterThan(0)
  for (const link of links) expect([link, existsSync(join(root, link))]).toEqual([link, true])
})
