import { describe, expect, test } from 'vitest'

import { diffSnapshots, snapshot } from '../lab/snapshot.ts'
import { inLab, ok, run, type Bin } from '../helpers/tap.ts'

/** What the commands print, and where. */

const document = async (output: Promise<string>): Promise<Record<string, unknown>> =>
  JSON.parse(await output) as Record<string, unknown>

const fields = ['schema', 'command', 'exit', 'bridge', 'steps', 'differences', 'error']

test('brup and brdown, as text', async () => {
  await inLab(async (lab) => {
    expect(await run(lab, 'brup')).toEqual({
      exit: 0,
      stdout: 'br0 is up, with the uplink eth0\n',
      stderr: '',
    })
    const status = await ok(lab, 'brstatus')
    expect(status.split('\n')[0]).toBe('br0: up, carrier, mac 02:00:00:00:01:50, mtu 1500, made by brup')
    expect(status).toContain('  address 192.168.1.50/24\n')
    expect(status).toContain('  port eth0 (uplink)\n')
    expect(await run(lab, 'brdown')).toEqual({
      exit: 0,
      stdout: 'br0 is down; eth0 is as it was before\n',
      stderr: '',
    })
    expect(await run(lab, 'brdown')).toEqual({
      exit: 0,
      stdout: 'br0 is not there; nothing to do\n',
      stderr: '',
    })
  })
})

test('--json is one document with the same fields, whatever happened', async () => {
  await inLab(async (lab) => {
    const success = { schema: 1, exit: 0, bridge: 'br0', differences: [], error: null }
    const plan = await document(ok(lab, 'brup --dry-run --json'))
    expect(plan).toMatchObject({ ...success, command: 'brup', uplink: 'eth0', dryRun: true })
    const up = await document(ok(lab, 'brup --json'))
    expect(Object.keys(up)).toEqual(expect.arrayContaining(fields))
    expect(up).toMatchObject({ ...success, command: 'brup', uplink: 'eth0' })
    expect(ops(up)).toEqual(ops(plan))
    expect(ops(up)).toEqual(expect.arrayContaining(['bridge.add', 'addr.add', 'link.master']))
    const status = await document(ok(lab, 'brstatus --json'))
    expect(status).toMatchObject({
      ...success,
      command: 'brstatus',
      exists: true,
      madeByBrup: true,
      pending: null,
    })
    const down = await document(ok(lab, 'brdown --json'))
    expect(down).toMatchObject({ ...success, command: 'brdown', uplink: 'eth0' })
    expect(ops(down)).toContain('link.nomaster')
    const gone = await document(ok(lab, 'brdown --json'))
    expect(gone).toMatchObject({ ...success, command: 'brdown', steps: [] })
  })
})

const ops = (shown: Record<string, unknown>): string[] =>
  (shown['steps'] as readonly { readonly op: string }[]).map(({ op }) => op)

test('--json says which bridge also where the configuration chose it', async () => {
  await inLab(async (lab) => {
    await lab.ok('host', ['tee', '/run/c.toml'], { input: 'default_bridge = "br8"\n' })
    const { stdout } = await run(lab, 'brup --json --uplink lo --config /run/c.toml')
    expect(JSON.parse(stdout)).toMatchObject({ exit: 3, bridge: 'br8', error: { kind: 'refused' } })
  })
})

test('--json after a failure that was rolled back', async () => {
  await inLab(async (lab) => {
    await lab.ip('host', ['link add mv0 link eth0 type macvlan', 'link set mv0 netns router'])
    const before = await snapshot(lab)
    const { exit, stdout } = await run(lab, 'brup --json')
    const shown = JSON.parse(stdout) as Record<string, unknown>
    expect([exit, shown['exit']]).toEqual([1, 1])
    expect(shown).toMatchObject({
      command: 'brup',
      bridge: 'br0',
      steps: [],
      error: {
        kind: 'failed',
        message: expect.stringMatching(/; everything was put back$/) as string,
        hint: null,
      },
    })
    expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
  })
})

test('--quiet prints nothing, --verbose each step as it is applied', async () => {
  await inLab(async (lab) => {
    const nothing = { exit: 0, stdout: '', stderr: '' }
    const script = await ok(lab, 'brup --dry-run')
    const planned = script.split('\n').filter((line) => /^(ip|sysctl) /.test(line))
    expect(await run(lab, 'brup --quiet')).toEqual(nothing)
    expect(await run(lab, 'brdown --quiet')).toEqual(nothing)
    const { exit, stdout, stderr } = await run(lab, 'brup --verbose')
    expect([exit, stdout]).toEqual([0, 'br0 is up, with the uplink eth0\n'])
    const withoutId = (lines: readonly string[]): string[] =>
      lines.map((line) => line.replace(/[0-9a-f]{10}/g, 'ID')).filter((line) => line !== '')
    expect(withoutId(stderr.split('\n'))).toEqual(withoutId(planned))
  })
})

test('--quiet leaves the errors, and --dry-run its script', async () => {
  await inLab(async (lab) => {
    const { exit, stdout, stderr } = await run(lab, 'brup --quiet --uplink lo')
    expect([exit, stdout, stderr]).toEqual([3, '', expect.stringMatching(/^brup: lo is the loopback/)])
    expect(await ok(lab, 'brup --quiet --dry-run')).toMatch(/^#!\/bin\/sh -e\nip link add /)
  })
})

test('the script of --dry-run does what brup does, and changes nothing itself', async () => {
  await inLab(async (lab) => {
    const before = await snapshot(lab)
    const script = await ok(lab, 'brup --dry-run')
    expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    expect((await lab.run('host', ['sh', '-c', 'ls /run/qemu-tap-hooks'])).exit).not.toBe(0)
    await ok(lab, 'brup')
    const withoutId = (text: string): string => text.replace(/qemu-tap-hooks [0-9a-f]+/g, 'mark')
    const raised = withoutId(await snapshot(lab))
    const lowering = await ok(lab, 'brdown --dry-run')
    await lab.ok('host', ['sh', '-e'], { input: lowering })
    expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    await lab.ok('host', ['sh', '-e'], { input: script })
    expect(diffSnapshots(raised, withoutId(await snapshot(lab)))).toEqual([])
  })
})

describe.each<Bin>(['brup', 'brdown', 'brstatus', 'qemu-ifup', 'qemu-ifdown'])('%s', (name) => {
  test('touches nothing when asked for help, for its version, or in a wrong way', async () => {
    await inLab(async (lab) => {
      const before = await snapshot(lab)
      const ends = await Promise.all(
        ['--help', '--version', '--bogus'].map((word) => run(lab, `${name} ${word}`)),
      )
      expect(ends.map(({ exit }) => exit)).toEqual([0, 0, 2])
      expect(ends[2]).toEqual({
        exit: 2,
        stdout: '',
        stderr: `${name}: unknown option --bogus (see ${name} --help)\n`,
      })
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    })
  })
})
