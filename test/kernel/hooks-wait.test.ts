import { setTimeout as delay } from 'node:timers/promises'

import { describe, expect, test } from 'vitest'

import type { Lab } from '../lab/lab.ts'
import type { Running } from '../lab/start.ts'
import { holdLock } from '../helpers/held-lock.ts'
import { bin, inLab, linkOf, ok, run } from '../helpers/tap.ts'

/** qemu-ifup while a brup or a brdown is at work: it waits, and never says that a tap is on a bridge when it is not. */

const prepared = (lab: Lab): Promise<string> =>
  lab.ip('host', ['link add br0 type bridge', 'link set br0 up', 'tuntap add tap0 mode tap'])

const master = async (lab: Lab): Promise<string | undefined> => (await linkOf(lab, 'tap0'))?.master

/** Starts the hook and makes sure that it waits. */
async function waiting(lab: Lab): Promise<Running> {
  const hook = await lab.start('host', [bin('qemu-ifup'), 'tap0'])
  expect(await Promise.race([hook.exited, delay(1000, 'waits')])).toBe('waits')
  expect(await master(lab)).toBeUndefined()
  return hook
}

/** Waits for a line of `--verbose`, no longer than a moment: what comes after it is to be interrupted. */
async function said(running: Running, words: string): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!running.stderr().includes(words)) {
    if (Date.now() > deadline) throw new Error(`no ${words} in: ${running.stderr()}`)
    await delay(1)
  }
}

const marked = (lab: Lab, alias: string): Promise<string> =>
  lab.ok('host', ['ip', 'link', 'set', 'br0', 'alias', alias])

describe('qemu-ifup waits', () => {
  test('while the bridge is pending', async () => {
    await inLab(async (lab) => {
      await prepared(lab)
      await marked(lab, 'qemu-tap-hooks 0123456789 pending')
      const hook = await waiting(lab)
      await marked(lab, 'qemu-tap-hooks 0123456789')
      expect((await hook.exited).exit).toBe(0)
      expect([await master(lab), hook.stdout(), hook.stderr()]).toEqual(['br0', '', ''])
    })
  })

  test('while the lock is held, and no longer than its holder lives', async () => {
    await inLab(async (lab) => {
      await prepared(lab)
      const held = await holdLock(lab)
      const hook = await waiting(lab)
      held.running.kill('SIGKILL')
      expect((await hook.exited).exit).toBe(0)
      expect(await master(lab)).toBe('br0')
    })
  })

  test('for a real brup that is stopped in the middle', async () => {
    await inLab(async (lab) => {
      await lab.ip('host', 'tuntap add tap0 mode tap')
      const raising = await lab.start('host', [bin('brup'), '--verbose'])
      await said(raising, 'ip link')
      raising.kill('SIGSTOP')
      const hook = await waiting(lab)
      raising.resume()
      expect([(await raising.exited).exit, (await hook.exited).exit]).toEqual([0, 0])
      expect(await master(lab)).toBe('br0')
    })
  })

  test('until it is ended itself', async () => {
    await inLab(async (lab) => {
      await prepared(lab)
      await holdLock(lab)
      const hook = await waiting(lab)
      hook.kill('SIGTERM')
      expect((await hook.exited).exit).toBe(143)
      expect(hook.stderr()).toMatch(/^qemu-ifup: [^\n]+\n$/)
      expect(await master(lab)).toBeUndefined()
    })
  })
})

// Stands in front of the real `ip`, for the hook alone: after the tap was attached, it does what is in /run/after.
const wrapper = `#!/bin/sh
/run/ip "$@"
status=$?
/run/ip link show master br0 | grep -q tap0 && [ -x /run/after ] && mv /run/after /run/done && /run/done
exit $status
`
const takeLock = `dir=/run/qemu-tap-hooks/$(stat -Lc %i /proc/self/ns/net)
mkdir -p $dir/draft
setsid sleep 1000 </dev/null >/dev/null 2>&1 &
start=$(cut -d' ' -f22 /proc/$!/stat)
printf '{"pid":%d,"startTime":"%s","nonce":"n"}' $! $start >$dir/draft/holder
mv -T $dir/draft $dir/lock.lock
`

/** The hook, where somebody takes the lock the moment after the tap was attached, and does what else is told. */
async function overtaken(lab: Lab, more: string): Promise<Running> {
  await prepared(lab)
  return interrupted(lab, `${takeLock}${more}`)
}

/** The hook, and what happens the moment after the tap was attached. */
async function interrupted(lab: Lab, work: string): Promise<Running> {
  await lab.ok('host', ['cp', '/usr/sbin/ip', '/run/ip'])
  const script = `#!/bin/sh\n${work}\n`
  for (const [path, text] of [
    ['/run/wrapper', wrapper],
    ['/run/after', script],
  ] as const) {
    await lab.ok('host', ['tee', path], { input: text })
    await lab.ok('host', ['chmod', '755', path])
  }
  const line = `mount --bind /run/wrapper $(readlink -f /usr/sbin/ip) && exec ${bin('qemu-ifup')} tap0`
  return lab.start('host', ['sh', '-c', line])
}

const release = (lab: Lab): Promise<string> =>
  lab.ok('host', [
    'sh',
    '-c',
    'cd /run/qemu-tap-hooks/*/ && kill $(grep -o "[0-9]*" lock.lock/holder | head -1)',
  ])

describe.concurrent('a change that begins right after the tap was attached', () => {
  test('and leaves it there', async () => {
    await inLab(async (lab) => {
      const hook = await overtaken(lab, '')
      expect(await Promise.race([hook.exited, delay(2000, 'waits')])).toBe('waits')
      await release(lab)
      expect([(await hook.exited).exit, hook.stderr()]).toEqual([0, ''])
      expect(await master(lab)).toBe('br0')
    })
  })

  const changes = {
    'removes the bridge': [
      '/run/ip link del br0',
      3,
      'tap0: bridge br0 was removed meanwhile (run brup first)',
    ],
    'removes the tap': ['/run/ip link del tap0', 1, 'tap0 was removed meanwhile'],
  } as const
  test.each(Object.entries(changes))('and %s', async (_, [change, exit, says]) => {
    await inLab(async (lab) => {
      const hook = await overtaken(lab, change)
      await delay(1500)
      await release(lab)
      expect([(await hook.exited).exit, hook.stderr()]).toEqual([exit, `qemu-ifup: ${says}\n`])
      expect(await master(lab)).toBeUndefined()
    })
  })

  test('and takes the tap off: it is attached again', async () => {
    await inLab(async (lab) => {
      const hook = await overtaken(lab, '/run/ip link set tap0 nomaster')
      await delay(1500)
      expect(await master(lab)).toBeUndefined()
      await release(lab)
      expect([(await hook.exited).exit, hook.stderr()]).toEqual([0, ''])
      expect(await master(lab)).toBe('br0')
    })
  })

  test('and does not end: the hook detaches the tap again, and ends with 5', async () => {
    await inLab(async (lab) => {
      const hook = await overtaken(lab, '')
      const { exit } = await hook.exited
      expect([exit, hook.stderr()]).toEqual([
        5,
        'qemu-ifup: br0 is being changed, and that does not end (see brstatus br0)\n',
      ])
      expect(await master(lab)).toBeUndefined()
    })
  })

  test('and the hook is ended meanwhile: it detaches the tap again', async () => {
    await inLab(async (lab) => {
      const hook = await overtaken(lab, '')
      await delay(1500)
      expect(await master(lab)).toBe('br0')
      hook.kill('SIGTERM')
      expect((await hook.exited).exit).toBe(143)
      expect(await master(lab)).toBeUndefined()
    })
  })
})

describe('a change that begins after the tap was attached, and ends before the hook looks', () => {
  const gone = 'bridge br0 was removed meanwhile (run brup first)'
  test.each([
    ['brdown --force', `${bin('brdown')} --force`, [3, gone]],
    // As a brdown that had looked at the ports before the tap was attached would.
    ['the end of a brdown', '/run/ip link del br0', [3, gone]],
  ] as const)('%s', async (_, work, [exit, says]) => {
    await inLab(async (lab) => {
      await ok(lab, 'brup')
      await lab.ip('host', 'tuntap add tap0 mode tap')
      const hook = await interrupted(lab, work)
      expect([(await hook.exited).exit, hook.stderr()]).toEqual([exit, `qemu-ifup: tap0: ${says}\n`])
      expect(await master(lab)).toBeUndefined()
    })
  })
})

test('brdown --force and brup before the hook looks: the tap is attached to the new bridge', async () => {
  await inLab(async (lab) => {
    await ok(lab, 'brup')
    await lab.ip('host', 'tuntap add tap0 mode tap')
    const hook = await interrupted(lab, `${bin('brdown')} --force; ${bin('brup')}`)
    expect([(await hook.exited).exit, hook.stderr()]).toEqual([0, ''])
    expect(await master(lab)).toBe('br0')
  })
})

test('a killed brup leaves a pending bridge: the next brdown clears it, and the hook says what is missing', async () => {
  await inLab(async (lab) => {
    await lab.ip('host', 'tuntap add tap0 mode tap')
    const raising = await lab.start('host', [bin('brup'), '--verbose'])
    await said(raising, 'ip link set dev eth0 master')
    raising.kill('SIGKILL')
    const hook = await lab.start('host', [bin('qemu-ifup'), 'tap0'])
    await ok(lab, 'brdown')
    expect((await hook.exited).exit).toBe(3)
    expect(hook.stderr()).toBe('qemu-ifup: tap0: bridge br0 does not exist (run brup first)\n')
    expect((await run(lab, 'brstatus')).stdout).toBe('br0: not there\n')
  })
})
