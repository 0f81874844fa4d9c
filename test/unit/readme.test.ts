import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { describe, expect, test } from 'vitest'

import { readmePath, withGenerated } from '../../dev/readme/parts.ts'
import { bridgeForTap, parseConfig } from '../../src/config.ts'
import { exitCodes, helpText } from '../../src/help.ts'
import { commandSpecs, type CommandName } from '../../src/options.ts'

const root = dirname(readmePath)
const readme = readFileSync(readmePath, 'utf8')
const commands = Object.keys(commandSpecs) as CommandName[]

/** The rows of the table under this header, cell by cell, without backquotes. */
function tableRows(header: string): string[][] {
  const [, body = ''] = readme.split(`\n${header}\n`)
  const [, ...lines] = body.split('\n')
  const rows = lines.slice(
    0,
    lines.findIndex((line) => !line.startsWith('|')),
  )
  return rows.map((line) => line.slice(2, -2).replaceAll('`', '').split(' | '))
}

/** The rows of a section of `--help`: what stands left and right of the gap. */
const helpRows = (name: CommandName, section: string): string[][] => {
  const [, body = ''] = helpText(name).split(`\n${section}:\n`)
  const [rows = ''] = body.split('\n\n')
  return rows
    .trimEnd()
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/))
}

test('the generated tables are those of the code (npx tsx dev/readme.ts writes them)', () => {
  expect(readme).toBe(withGenerated(readme))
})

test.each(commands)('the options of %s are those of its --help', (name) => {
  const rows = tableRows('| option | of | does |')
  const own = rows.filter(([, of = '']) => of === 'all' || of.split(', ').includes(name))
  const sorted = (list: string[][]): string[][] => list.sort(([a = ''], [b = '']) => a.localeCompare(b))
  expect(sorted(own.map(([option = '', , does = '']) => [option, does]))).toEqual(
    sorted(helpRows(name, 'options')),
  )
})

test.each(commands)('the exit codes are those of the --help of %s', (name) => {
  expect(helpRows(name, 'exit codes')).toHaveLength(exitCodes.length)
  expect(tableRows('| code | meaning |')).toEqual(helpRows(name, 'exit codes'))
})

test('the table of commands has each with its argument', () => {
  const named = tableRows('| command | run by | does |').map(([command]) => command)
  const usages = commands.map((name) =>
    /^usage: (.*)$/m.exec(helpText(name))?.[1]?.replace(' [OPTION]...', ''),
  )
  expect(named.sort()).toEqual(usages.sort())
})

describe('the configuration example', () => {
  const toml = /```toml\n([^]*?)```/.exec(readme)?.[1] ?? ''
  const config = parseConfig(toml, 'README.md')

  test('says what it means', () => {
    expect(config).toMatchObject({
      defaultBridge: 'br0',
      bridges: [
        {
          name: 'br0',
          uplink: 'eth0',
          addresses: [{ text: '192.168.1.60', prefixLength: 24 }],
          gateways: [{ text: '192.168.1.1' }],
          checkGatewaySeconds: 5,
          check: { words: ['/usr/bin/ping', '-c1', '192.168.1.9'], seconds: 10 },
        },
        {
          name: 'br10',
          uplink: false,
          addresses: [{ text: '192.168.30.1', prefixLength: 24 }],
          mtu: 9000,
          stp: true,
          dhcp: false,
          isolated: true,
        },
        {
          name: 'br20',
          nat: true,
          addresses: [{ text: '192.168.40.1' }, { text: 'fd40::1' }],
          forwards: [{ protocol: 'tcp', port: 8080, to: { text: '192.168.40.9', port: 80 } }],
        },
      ],
      taps: [
        { match: 'lab*', bridge: 'br10', isolated: false },
        {
          match: 'tap7',
          bridge: undefined,
          mac: '52:54:00:12:34:57',
          hairpin: true,
          pvid: 10,
          trunk: [20, 30],
        },
      ],
    })
  })

  test('has every key that there is', () => {
    const tables = [
      '',
      '[[bridge]]\nname = "br9"\n',
      '[[bridge]]\nname = "br9"\nnat = true\n[[bridge.forward]]\nport = 1\nto = "10.0.0.1:1"\n',
      '[[bridge]]\nname = "br9"\n[[bridge.guest]]\nmac = "52:54:00:00:00:01"\nname = "x"\n',
      '[[tap]]\nmatch = "x"\nbridge = "br9"\n',
    ]
    for (const table of tables) {
      const refusal = /allowed: ([^)]*)/.exec(messageFrom(() => parseConfig(`${table}surely = 1\n`, 'x')))
      const keys = refusal?.[1]?.split(', ') ?? []
      expect(keys.length).toBeGreaterThan(1)
      for (const key of keys) expect(toml).toMatch(new RegExp(`^(\\[\\[(?:\\w+\\.)?)?${key}(\\]\\]| =)`, 'm'))
    }
  })

  test('decides between bridges in the order that the text gives', () => {
    const caller = { env: {}, programName: 'qemu-ifup', config }
    const bridges = [
      bridgeForTap('lab1', { ...caller, env: { QEMU_TAP_BRIDGE: 'br7' }, programName: 'qemu-ifup.br8' }),
      bridgeForTap('lab1', { ...caller, programName: 'qemu-ifup.br8' }),
      bridgeForTap('lab1', caller),
      bridgeForTap('tap0', caller),
    ]
    expect(bridges).toEqual(['br7', 'br8', 'br10', 'br0'])
  })
})

function messageFrom(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    return String(error)
  }
  return 'nothing was thrown'
}

test('the first screen has the two commands, and each npm script that is named is there', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  const firstScreen = readme.split('\n').slice(0, 25)
  for (const line of ['npm run demo', 'npm test'])
    expect(firstScreen.some((each) => each.startsWith(line))).toBe(true)
  const named = [...readme.matchAll(/npm (?:run )?(test|demo|torture|build|check)\b/g)].map(
    (match) => match[1] ?? '',
  )
  expect(new Set(named)).toEqual(new Set(['demo', 'test', 'torture', 'build']))
  for (const name of named) expect(scripts).toHaveProperty(name)
})

test('each option that a shell line or the text uses is one of that command', () => {
  const lines = [...readme.matchAll(/^(?:sudo )?(brup|brdown|brstatus) *(--\S+)?/gm)]
  expect(lines.length).toBeGreaterThan(3)
  for (const [, name, option] of lines)
    if (option !== undefined)
      expect(commandSpecs[name as CommandName].options.map((spec) => `--${spec.name}`)).toContain(option)
  const all = new Set(commands.flatMap((name) => commandSpecs[name].options.map((spec) => spec.name)))
  for (const [, option = ''] of readme.matchAll(/`--([a-z-]+)/g)) expect(all).toContain(option)
})

test.each(['README.md', 'docs/architecture.md', 'docs/json.md', 'docs/reliability.md', 'CHANGELOG.md'])(
  'what %s links to or names is there',
  (file) => {
    const text = readFileSync(join(root, file), 'utf8')
    const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map((match) => match[1] ?? '')
    const sources = [...text.matchAll(/`((?:src|hooks|scripts|docs|dev)\/[\w./-]*)`/g)].map(
      (match) => match[1] ?? '',
    )
    for (const link of links)
      expect([link, existsSync(join(root, dirname(file), link))]).toEqual([link, true])
    for (const path of sources) expect([path, existsSync(join(root, path))]).toEqual([path, true])
    if (file !== 'docs/json.md' && file !== 'CHANGELOG.md')
      expect(links.length + sources.length).toBeGreaterThan(0)
  },
)
