import { describe, expect, test } from 'vitest'

import type { Lab } from '../lab/lab.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'
import { holdLock } from '../helpers/held-lock.ts'
import { bin, inLab, journals, linkOf, ok, until } from '../helpers/tap.ts'
import { watchdogs } from '../helpers/watchdog.ts'

/** The process beside brup and brdown. What it does after a kill is in kill.test.ts and faults-kill.test.ts. */

/** What a trial leaves running: a watchdog with time to look at it. */
async function withWatchdog(lab: Lab, command: readonly string[]): Promise<number> {
  const running = await lab.start('host', [...command])
  await until('the trial has begun', () => Promise.resolve(running.stderr().includes('is on trial')))
  const [pid] = await watchdogs(lab)
  if (pid === undefined) throw new Error('there is no watchdog')
  return pid
}

describe('the watchdog', () => {
  test('has a session of its own, and nothing open but its pipes', async () => {
    await inLab(async (lab) => {
      const open = ['sh', '-c', 'exec 9>/run/nine; exec "$@"', 'sh', bin('brup'), '--try', '60']
      const pid = await withWatchdog(lab, open)
      const seen = await lab.ok('host', [
        'sh',
        '-c',
        `readlink /proc/${pid}/cwd; cut -d" " -f6 /proc/${pid}/stat; cd /proc/${pid}/fd; for fd in *; do readlink $fd; done; :`,
      ])
      const [cwd, session, ...files] = seen.trim().split('\n')
      expect({ cwd, session }).toEqual({ cwd: '/', session: String(pid) })
      const inner = /^(anon_inode:|\/dev\/null$|pipe:|socket:)/
      expect(files.filter((file) => !inner.test(file))).toEqual([])
      expect(files.length).toBeGreaterThan(3)
      const env = await lab.ok('host', ['cat', `/proc/${pid}/environ`])
      expect(env).toBe('')
      await ok(lab, 'brdown')
    })
  })

  test('stays at its post whatever the terminal sends', async () => {
    await inLab(async (lab) => {
      const before = await snapshot(lab)
      const running = await lab.start('host', [bin('brup'), '--try', '4'])
      await until('the trial has begun', () => Promise.resolve(running.stderr().includes('is on trial')))
      const [pid] = await watchdogs(lab)
      for (const name of ['HUP', 'INT', 'QUIT', 'PIPE'])
        await lab.ok('host', ['sh', '-c', `kill -s ${name} ${String(pid)}`])
      running.kill('SIGKILL')
      await running.exited
      expect((await linkOf(lab, 'eth0'))?.master).toBe('br0')
      await until('it took the trial back', async () => (await watchdogs(lab)).length === 0)
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
      expect(await journals(lab)).toBe('')
    })
  })

  test('is not there any more when brup and brdown are done', async () => {
    await inLab(async (lab) => {
      for (const command of ['brup', 'brup', 'brdown', 'brdown']) {
        await ok(lab, command)
        await until('no watchdog is left', async () => (await watchdogs(lab)).length === 0)
      }
    })
  })

  test('that cannot be started: nothing is changed', async () => {
    await inLab(async (lab) => {
      const held = await holdLock(lab)
      const before = await snapshot(lab)
      const copy = `${lab.dir}/brup`
      await lab.ok('host', ['cp', bin('brup'), copy])
      const running = await lab.start('host', [copy])
      await until('it waits for the lock', () => Promise.resolve(running.stderr().includes('waiting')))
      await lab.ok('host', ['rm', copy])
      held.running.kill('SIGKILL')
      expect((await running.exited).exit).toBe(3)
      expect(running.stderr()).toMatch(
        /^brup: cannot start the watchdog: .+ \(without it nothing is changed\)$/m,
      )
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
      expect(await journals(lab)).toBe('')
    })
  })

  test('that is killed in the middle of a change is missed, and the change goes on', async () => {
    await inLab(async (lab) => {
      const config = `${lab.dir}/config.toml`
      const check =
        '[[bridge]]\nname = "br0"\ncheck = ["/bin/sh", "-c", "until [ -e /run/go ]; do sleep 0.01; done"]\n'
      await lab.ok('host', ['tee', config], { input: check })
      const running = await lab.start('host', [bin('brup'), '--config', config])
      await until('it switched', async () => (await linkOf(lab, 'eth0'))?.master === 'br0')
      const [pid] = await watchdogs(lab)
      await lab.ok('host', ['kill', '-9', String(pid)])
      const says = `brup: its watchdog (pid ${String(pid)}) has ended; going on without it\n`
      await until('it is missed', () => Promise.resolve(running.stderr() === says))
      await lab.ok('host', ['touch', '/run/go'])
      expect((await running.exited).exit).toBe(0)
      expect(running.stderr()).toBe(says)
      await ok(lab, 'brdown')
    })
  })

  test('that is killed first does not keep brup from its end', async () => {
    await inLab(async (lab) => {
      const pid = await withWatchdog(lab, [bin('brup'), '--try', '60'])
      await lab.ok('host', ['kill', '-9', String(pid)])
      await ok(lab, 'brup --accept')
      expect((await linkOf(lab, 'eth0'))?.master).toBe('br0')
      await ok(lab, 'brdown')
    })
  })
})
