import { describe, expect, test } from 'vitest'

import type { Lab } from '../lab/lab.ts'
import { reachable } from '../lab/reachable.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'
import { expectEnding } from '../helpers/refused.ts'
import { bin, inLab, journals, ok, run } from '../helpers/tap.ts'
import { tool } from '../lab/tools.ts'

/** A journal that does not fit what is there: reported, never applied, never deleted. */

interface Stored {
  readonly uplink: Record<string, unknown>
  readonly [key: string]: unknown
}

const pathOf = async (lab: Lab, bridge = 'br0'): Promise<string> =>
  `/run/qemu-tap-hooks/${(await lab.ok('host', ['stat', '-Lc', '%i', '/proc/self/ns/net'])).trim()}/journal-${bridge}.json`

const hint = '(look at it, and remove it if that bridge is no longer there)'

const edited = (change: (journal: Stored) => unknown) => (text: string) =>
  JSON.stringify(change(JSON.parse(text) as Stored))

const damages: Readonly<Record<string, readonly [(text: string) => string, string]>> = {
  truncated: [(text) => text.slice(0, text.length / 2), 'is truncated or no JSON'],
  empty: [() => '', 'is truncated or no JSON'],
  'no object': [() => '"hello"', 'is damaged: not an object'],
  'without a field': [edited((journal) => ({ ...journal, id: undefined })), 'is damaged: id'],
  'with an id that is none': [edited((journal) => ({ ...journal, id: 'x; reboot' })), 'is damaged: id'],
  newer: [edited((journal) => ({ ...journal, schema: 2 })), 'was written by a newer version (schema 2)'],
  'of another boot': [edited((journal) => ({ ...journal, bootId: 'other' })), 'is of another boot'],
  'of another namespace': [
    edited((journal) => ({ ...journal, namespace: '1' })),
    'is of another network namespace',
  ],
  'of another bridge': [edited((journal) => ({ ...journal, bridge: 'br7' })), 'is about br7'],
}

/** Of a run whose id is on no bridge here. */
const ofAnotherRun = (journal: Stored, uplink: Readonly<Record<string, unknown>>): Stored => ({
  ...journal,
  id: 'ffffffffff',
  raised: journal['original'],
  uplink: { ...journal.uplink, ...uplink },
})

const foreign: Readonly<Record<string, (journal: Stored) => unknown>> = {
  index: (journal) => ofAnotherRun(journal, { index: 4711 }),
  MAC: (journal) => ofAnotherRun(journal, { mac: '02:99:99:99:99:99' }),
  name: (journal) => ({ ...journal, uplink: { ...journal.uplink, name: 'eth9' } }),
}

/** Raises br0, changes its journal, and hands both on. */
async function withJournal(
  change: (text: string) => string,
  work: (lab: Lab, path: string) => Promise<void>,
): Promise<void> {
  await inLab(async (lab) => {
    await ok(lab, 'brup')
    const path = await pathOf(lab)
    const text = change(await lab.ok('host', ['cat', path]))
    await lab.ok('host', ['tee', path], { input: text })
    await work(lab, path)
    expect(await lab.ok('host', ['cat', path])).toBe(text)
    expect(await reachable(lab)).toEqual([])
  })
}

describe('a journal', () => {
  test.each(Object.entries(damages))('%s', async (_, [change, reason]) => {
    await withJournal(change, async (lab, path) => {
      for (const command of ['brup', 'brdown', 'brdown --force', 'brup --dry-run', 'brdown --dry-run'])
        await expectEnding(lab, command, {
          says: `${command.split(' ')[0] ?? ''}: the journal ${path} ${reason} ${hint}`,
        })
      expect(await ok(lab, 'brstatus')).toContain(`journal: ${path} ${reason}`)
      const { journal } = JSON.parse(await ok(lab, 'brstatus --json')) as { journal: unknown }
      expect(journal).toEqual({ usable: false, path, reason })
    })
  })

  test.each(Object.entries(foreign))('about an uplink with another %s', async (_, change) => {
    await withJournal(edited(change), async (lab) => {
      for (const command of ['brup', 'brdown', 'brdown --force', 'brup --dry-run', 'brdown --dry-run'])
        await expectEnding(lab, command, {
          says: new RegExp(
            `^${command.split(' ')[0] ?? ''}: the journal of br0 in \\S+ is about another eth. .*\\n$`,
          ),
        })
    })
  })

  test('with a change under way that is foreign is not applied', async () => {
    const pending = (journal: Stored): unknown => ({
      ...ofAnotherRun(journal, { index: 4711 }),
      pending: { command: 'brup', before: journal['original'] },
    })
    await withJournal(edited(pending), async (lab) => {
      await expectEnding(lab, 'brdown', { says: /is about another eth0/ })
      await expectEnding(lab, 'brup', { says: /is about another eth0/ })
    })
  })

  test('of another bridge that cannot be used is left alone and named', async () => {
    await inLab(async (lab) => {
      const before = await snapshot(lab)
      await ok(lab, 'brup')
      const path = await pathOf(lab, 'br9')
      await lab.ok('host', ['tee', path], { input: '{"schema":1' })
      await ok(lab, 'brdown')
      const { exit, stderr } = await run(lab, 'brup')
      expect([exit, stderr]).toEqual([0, expect.stringContaining(`${path} is truncated or no JSON`)])
      await ok(lab, 'brdown')
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
      expect(await lab.ok('host', ['cat', path])).toBe('{"schema":1')
    })
  })
})

test('anybody may read what brstatus needs, whatever umask brup had', async () => {
  await inLab(async (lab) => {
    await lab.ok('host', ['sh', '-c', `umask 077 && ${bin('brup')}`])
    const nobody = [tool('setpriv'), '--reuid=65534', '--regid=65534', '--clear-groups']
    const { exit, stdout, stderr } = await lab.run('host', [...nobody, bin('brstatus')])
    expect([exit, stderr]).toEqual([0, ''])
    expect(stdout).toBe(await ok(lab, 'brstatus'))
  })
})

describe('a run directory', () => {
  const unusable: Readonly<Record<string, readonly string[]>> = {
    'that cannot be made': ['touch /run/own'],
    'that is read-only': [
      'mkdir -p /run/own/$(stat -Lc %i /proc/self/ns/net)',
      'mount -t tmpfs -o ro lab /run/own',
    ],
    'below a read-only one': [
      'mkdir /run/own',
      'mount -t tmpfs lab /run/own',
      'mkdir /run/own/$(stat -Lc %i /proc/self/ns/net)',
      'mount -o remount,ro /run/own',
    ],
    'without room for the journal': [
      'mkdir /run/own',
      'mount -t tmpfs -o size=8k lab /run/own',
      'mkdir /run/own/$(stat -Lc %i /proc/self/ns/net)',
    ],
  }
  test.each(Object.entries(unusable))('%s', async (_, lines) => {
    await inLab(async (lab) => {
      // A mount lives as long as the command that made it: `ip netns exec` gives each one of its own.
      const through = [
        'sh',
        '-c',
        `${lines.map((line) => `{ ${line}; } 2>/dev/null`).join('; ')}; exec "$0" "$@"`,
      ]
      const options = { env: { QEMU_TAP_HOOKS_RUN_DIR: '/run/own' } }
      await expectEnding(lab, 'brup', { says: /^brup: cannot .*\/run\/own.* \(.+\)\n$/, through, options })
      expect(await journals(lab)).toBe('')
    })
  })
})
