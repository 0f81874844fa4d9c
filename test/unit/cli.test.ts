import { describe, expect, test } from 'vitest'
import type { BrupArgs, HookArgs } from '../../src/args.ts'
import { runCommand } from '../../src/cli.ts'
import { CommandError, refusal } from '../../src/errors.ts'
import type { Command, Host, Outcome } from '../../src/host.ts'

/** Runs a command with the given end; returns all that can be seen from outside. */
async function run(line: string, end: () => Outcome = () => ({ text: 'done\n', json: { steps: ['a'] } })) {
  const command: Command<BrupArgs> = {
    name: 'brup',
    bridge: ({ bridge }) => bridge ?? 'br0',
    run: () => Promise.resolve().then(end),
  }
  return await seen(line, (host) => runCommand(command, host))
}

async function runHook(line: string, end: () => Outcome) {
  const command: Command<HookArgs> = { name: 'qemu-ifup', run: () => Promise.resolve().then(end) }
  return await seen(line, (host) => runCommand(command, host))
}

async function seen(line: string, work: (host: Host) => Promise<number>) {
  let [stdout, stderr] = ['', '']
  const exit = await work({
    argv: line.split(' ').filter((word) => word !== ''),
    programName: 'x',
    env: {},
    stdout: (text) => (stdout += text),
    stderr: (text) => (stderr += text),
    stdoutIsTerminal: false,
    stderrIsTerminal: false,
    stdinIsTerminal: false,
    nextLine: () => Promise.resolve(undefined),
    program: [],
    received: [],
    signal: new AbortController().signal,
  })
  return { exit, stdout, stderr, json: stdout.startsWith('{') ? (JSON.parse(stdout) as unknown) : undefined }
}

const fail = (error: unknown) => () => {
  throw error
}
const incomplete = new CommandError('incomplete', 'eth0 is not as before', {
  hint: 'look',
  differences: ['- a', '+ b'],
})

describe('success', () => {
  test.each([
    ['', 'done\n'],
    ['--quiet', ''],
    ['--quiet --dry-run', 'done\n'],
    ['--quiet --export networkd', 'done\n'],
    ['--quiet --export=networkd', 'done\n'],
    ['--version', 'brup development\n'],
  ])('%j writes %j', async (line, stdout) => {
    expect(await run(line)).toMatchObject({ exit: 0, stdout, stderr: '' })
  })

  test('--help', async () => {
    const { exit, stdout } = await run('--help')
    expect([exit, stdout.split('\n')[0]]).toEqual([0, 'usage: brup [OPTION]... [BRIDGE]'])
  })

  test('--json writes one document, with the outcome in place of the defaults', async () => {
    expect((await run('--json --quiet br7')).json).toEqual({
      schema: 1,
      command: 'brup',
      exit: 0,
      bridge: 'br7',
      steps: ['a'],
      differences: [],
      error: null,
    })
  })
})

describe('failure', () => {
  test.each<[unknown, number, string]>([
    [
      refusal('eth0 is a port of br1', 'run brdown br1 first'),
      3,
      'brup: eth0 is a port of br1 (run brdown br1 first)\n',
    ],
    [incomplete, 4, 'brup: eth0 is not as before (look)\n  - a\n  + b\n'],
    [
      new CommandError('interrupted', 'interrupted by SIGINT', { exit: 130 }),
      130,
      'brup: interrupted by SIGINT\n',
    ],
    [new TypeError('oops'), 1, 'brup: oops\n'],
    ['text', 1, 'brup: text\n'],
  ])('%s', async (error, exit, stderr) => {
    expect(await run('', fail(error))).toMatchObject({ exit, stdout: '', stderr })
    expect((await run('--quiet', fail(error))).stderr).toBe(stderr)
  })

  test('the stack of an unexpected error shows with --verbose alone', async () => {
    expect((await run('--verbose', fail(new TypeError('oops')))).stderr).toMatch(
      /^brup: oops\nTypeError: oops\n +at /u,
    )
    expect((await run('--verbose', fail(refusal('no', 'way')))).stderr).toBe('brup: no (way)\n')
  })

  test('--json writes the document as well as the line', async () => {
    const { json, stderr, exit } = await run('--json', fail(incomplete))
    expect(stderr).toContain('brup: eth0 is not as before')
    expect(exit).toBe(4)
    expect(json).toMatchObject({
      exit: 4,
      bridge: 'br0',
      differences: ['- a', '+ b'],
      error: { kind: 'incomplete', message: 'eth0 is not as before', hint: 'look' },
    })
  })

  test('a usage error is a document too where --json is an option, and not after --', async () => {
    expect((await run('--dhpc --json')).json).toMatchObject({ exit: 2, error: { kind: 'usage' } })
    expect((await run('br0 -- --json')).stdout).toBe('')
  })
})

describe('a hook', () => {
  test('writes nothing on success', async () => {
    expect(await runHook('tap0', () => ({ text: '', json: {} }))).toMatchObject({
      exit: 0,
      stdout: '',
      stderr: '',
    })
  })

  test.each<[string, unknown, number, string]>([
    [
      'tap0',
      refusal('tap0: bridge br0 does not exist', 'run brup first'),
      3,
      'tap0: bridge br0 does not exist (run brup first)',
    ],
    ['tap0', new CommandError('failed', 'two\n  lines', { differences: ['a', 'b'] }), 1, 'two; lines; a; b'],
    ['--json tap0', undefined, 2, 'unknown option --json (see qemu-ifup --help)'],
  ])('%s: writes exactly one line on failure', async (line, error, exit, text) => {
    expect(await runHook(line, fail(error))).toMatchObject({
      exit,
      stdout: '',
      stderr: `qemu-ifup: ${text}\n`,
    })
  })
})
