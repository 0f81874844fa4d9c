import { describe, expect, test } from 'vitest'

import { muteRouter, startWith } from '../helpers/at-switch.ts'
import { expectEnding } from '../helpers/refused.ts'
import { bin, inLab, journals, linkOf, ok, run, until } from '../helpers/tap.ts'
import type { Lab } from '../lab/lab.ts'
import { reachable } from '../lab/reachable.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'
import type { Running } from '../lab/start.ts'

/** The `check` command of the configuration: run after the switch, it decides whether the change stays. */

const config = (words: readonly string[], more = ''): string =>
  `[[bridge]]\nname = "br0"\ncheck = ${JSON.stringify(words)}\n${more}\n`

const options = { env: { QEMU_TAP_HOOKS_CONFIG: '/run/config.toml' } }

/** Writes a configuration whose check is this shell script. */
async function withCheck(lab: Lab, script: string, more = ''): Promise<void> {
  await lab.ok('host', ['tee', '/run/check'], { input: `#!/bin/sh\n${script}\n` })
  await lab.ok('host', ['chmod', '755', '/run/check'])
  await lab.ok('host', ['tee', '/run/config.toml'], { input: config(['/run/check', 'a b', "c'd"], more) })
}

const shown = `the check /run/check 'a b' 'c'\\''d'`

const isThere = async (lab: Lab, path: string): Promise<boolean> =>
  (await lab.run('host', ['ls', path])).exit === 0

/** Who runs under this name in the lab: the checks sleep for a time that nobody else does. */
const sleepers = async (lab: Lab): Promise<string> =>
  (await lab.run('host', ['pgrep', '-fx', 'sleep 4711'])).stdout

const sleeping = 'sleep 4711 & sleep 4711'

/** Starts brup and waits until its check runs. */
async function checking(lab: Lab): Promise<Running> {
  await withCheck(lab, `touch /run/begun; ${sleeping}`, 'check_seconds = 3600')
  const raising = await lab.start('host', [bin('brup')], options)
  await until('the check runs', async () => isThere(lab, '/run/begun'))
  await until('its child runs', async () => (await sleepers(lab)).split('\n').length > 2)
  return raising
}

async function expectBack(lab: Lab, before: string): Promise<void> {
  expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
  expect([await journals(lab), await sleepers(lab)]).toEqual(['', ''])
  expect(await reachable(lab)).toEqual([])
}

describe('a check that succeeds', () => {
  test('has a small environment, no input, its arguments, and runs when eth0 is a port', async () => {
    await inLab(async (lab) => {
      const script =
        'env >/run/env; pwd >>/run/env; printf "%s\\n" "$@" >>/run/env; cat >>/run/env; ip -o link >/run/links; echo out; echo err >&2'
      await withCheck(lab, script)
      const { exit, stdout, stderr } = await run(lab, 'brup', { env: { ...options.env, SECRET: 'x' } })
      expect({ exit, stdout, stderr }).toEqual({
        exit: 0,
        stdout: 'br0 is up, with the uplink eth0\n',
        stderr: '',
      })
      const lines = (await lab.ok('host', ['cat', '/run/env'])).trimEnd().split('\n')
      const path = 'PATH=/usr/sbin:/sbin:/usr/bin:/bin'
      const wanted = ['BRIDGE=br0', 'LC_ALL=C', path, 'PWD=/', 'UPLINK=eth0', '/', 'a b', "c'd"]
      expect(lines.sort()).toEqual(wanted.sort())
      expect(await lab.ok('host', ['cat', '/run/links'])).toMatch(/eth0@\S+ .* master br0/)
      await lab.ok('host', ['rm', '/run/env'])
      expect((await run(lab, 'brup', options)).exit).toBe(0)
      expect(await isThere(lab, '/run/env'), 'up already: not run').toBe(false)
    })
  })

  test('and leaves a child behind: that is ended, and nobody waits for it', async () => {
    await inLab(async (lab) => {
      await withCheck(lab, 'sleep 4711 &')
      await ok(lab, 'brup', options)
      expect(await sleepers(lab)).toBe('')
      expect((await linkOf(lab, 'eth0'))?.master).toBe('br0')
    })
  })

  test('is in the journal while it runs', async () => {
    await inLab(async (lab) => {
      await withCheck(
        lab,
        'echo $$ >/run/pid; cut -d" " -f22 /proc/$$/stat >>/run/pid; cat /run/qemu-tap-hooks/*/journal-br0.json >/run/seen',
      )
      await ok(lab, 'brup', options)
      const [pid, startTime] = (await lab.ok('host', ['cat', '/run/pid'])).split('\n')
      const seen = JSON.parse(await lab.ok('host', ['cat', '/run/seen'])) as { pending: { child: unknown } }
      expect(seen.pending.child).toEqual({ pid: Number(pid), startTime })
    })
  })
})

describe('a check that fails takes brup back', () => {
  const failures: Readonly<Record<string, readonly [script: string, how: string, more?: string]>> = {
    'with a status': ['echo; echo "no route" >&2; echo more >&2; exit 3', 'ended with status 3: no route'],
    'without a word': ['exit 1', 'ended with status 1'],
    'with what a terminal must not see': [
      'printf "a\\033[31mb\\n" >&2; exit 1',
      'ended with status 1: a [31mb',
    ],
    'with more than anybody reads': ['yes x | head -c 9000000 >&2; exit 1', 'ended with status 1: x'],
    'by a signal': ['kill -SEGV $$', 'was ended by SIGSEGV'],
    'by its time': [`echo waiting >&2; ${sleeping}`, 'did not end within 1 s: waiting', 'check_seconds = 1'],
    'by its time, stopped': ['kill -STOP $$', 'did not end within 1 s', 'check_seconds = 1'],
    'deaf to SIGTERM': [`trap "" TERM; ${sleeping}`, 'did not end within 1 s', 'check_seconds = 1'],
  }
  test.each(Object.entries(failures))('%s', async (_, [script, how, more]) => {
    await inLab(async (lab) => {
      await withCheck(lab, script, more)
      const before = await snapshot(lab)
      const { exit, stderr } = await run(lab, 'brup', options)
      expect([exit, stderr.split('\n').at(-2)]).toEqual([1, `brup: ${shown} ${how}; everything was put back`])
      await expectBack(lab, before)
    })
  })

  test('and its program is no program', async () => {
    await inLab(async (lab) => {
      await withCheck(lab, '')
      await lab.ok('host', ['tee', '/run/check'], { input: '\x7fELF' })
      const before = await snapshot(lab)
      const { exit, stderr } = await run(lab, 'brup', options)
      expect([exit, stderr]).toEqual([1, expect.stringMatching(/ended with status 12[67]: /)])
      await expectBack(lab, before)
    })
  })
})

test('a check that cannot be run is refused before any change', async () => {
  await inLab(async (lab) => {
    await lab.ok('host', ['tee', '/run/config.toml'], { input: config(['/run/no such']) })
    const says = 'brup: the check /run/no such cannot be run (install it, or mend check in the configuration)'
    await expectEnding(lab, 'brup', { says, options })
    await expectEnding(lab, 'brup --dry-run', { says, options })
  })
})

test('the gateways come first: without them the check does not run', async () => {
  await inLab(async (lab) => {
    await withCheck(lab, 'touch /run/begun')
    const raising = await startWith(lab, 'brup --check-gateway 1', { script: muteRouter[4], options })
    expect((await raising.exited).exit).toBe(1)
    expect(await isThere(lab, '/run/begun')).toBe(false)
  })
})

describe('while a check runs', () => {
  test.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const)(
    '%s ends it and takes brup back',
    async (name) => {
      await inLab(async (lab) => {
        const before = await snapshot(lab)
        const raising = await checking(lab)
        raising.kill(name)
        const { exit } = await raising.exited
        expect([exit, raising.stderr()]).toEqual([
          { SIGINT: 130, SIGTERM: 143, SIGHUP: 129, SIGQUIT: 131 }[name],
          expect.stringContaining(`brup: ended by ${name}; everything was put back\n`),
        ])
        await expectBack(lab, before)
      })
    },
  )

  test('brup is killed: the next command ends the check and its children, and takes brup back', async () => {
    await inLab(async (lab) => {
      const before = await snapshot(lab)
      const raising = await checking(lab)
      raising.kill('SIGKILL')
      await raising.exited
      await ok(lab, 'brdown')
      await expectBack(lab, before)
    })
  })
})
