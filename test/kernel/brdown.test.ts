import { describe, expect, test } from 'vitest'

import { reachable } from '../lab/reachable.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'
import { expectEnding, expectUntouched } from '../helpers/refused.ts'
import { bin, holdTap, inLab, linkOf, ok, run, until } from '../helpers/tap.ts'

/** What brdown refuses and what it does not, and brup of a bridge that is up. */

const guests = 'brdown: br0 still has guests (end them, or take their taps away with --force)'

describe('guests', () => {
  test('are named with the process that holds them', async () => {
    await inLab(async (lab) => {
      await ok(lab, 'brup')
      const one = await holdTap(lab, 'tap0')
      const two = await holdTap(lab, 'tap1')
      await lab.ip('host', 'tuntap add tap2 mode tap')
      for (const tap of ['tap0', 'tap1', 'tap2']) await ok(lab, `qemu-ifup ${tap}`)
      const held = `  tap0: held by pid ${one.pid} (perl)\n  tap1: held by pid ${two.pid} (perl)`
      await expectEnding(lab, 'brdown', { says: `${guests}\n${held}\n  tap2: held by no process` })
      expect(await reachable(lab)).toEqual([])
    })
  })

  test('of another namespace are not mistaken for ours', async () => {
    await inLab(async (lab) => {
      await ok(lab, 'brup')
      await lab.ip('host', 'tuntap add tap0 mode tap')
      await ok(lab, 'qemu-ifup tap0')
      await holdTap(lab, 'tap0', 'router')
      await expectEnding(lab, 'brdown', { says: `${guests}\n  tap0: held by no process` })
    })
  })

  test('are detached and listed with --force, and keep their taps', async () => {
    await inLab(async (lab) => {
      const { pid } = await holdTap(lab, 'tap0')
      const before = await snapshot(lab)
      await ok(lab, 'brup')
      await ok(lab, 'qemu-ifup tap0')
      const { exit, stderr } = await run(lab, 'brdown --force')
      expect([exit, stderr]).toEqual([0, `brdown: taken off br0: tap0: held by pid ${pid} (perl)\n`])
      const tap = await linkOf(lab, 'tap0')
      expect([tap?.master, tap?.mtu]).toEqual([undefined, 1500])
      const rest = (text: string): string =>
        text
          .split('\n')
          .filter((line) => !/\btap0\b/.test(line))
          .join('\n')
      expect(diffSnapshots(rest(before), rest(await snapshot(lab)))).toEqual([])
    })
  })

  test('that --force takes off are no longer listed as taken from an earlier bridge', async () => {
    await inLab(async (lab) => {
      const { running } = await holdTap(lab, 'tap0')
      const trial = await lab.start('host', [bin('brup'), '--try', '2'])
      await until('the trial has begun', () => Promise.resolve(trial.stderr().includes('is on trial')))
      await ok(lab, 'qemu-ifup tap0')
      expect((await trial.exited).exit).toBe(1)
      const list = '/run/qemu-tap-hooks/*/detached-br0.json'
      await lab.ok('host', ['sh', '-c', `cp ${list} /run/list`])
      await ok(lab, 'brup')
      expect((await linkOf(lab, 'tap0'))?.master).toBe('br0')
      // A hook puts its tap back by itself, too, and knows nothing of the list.
      await lab.ok('host', ['sh', '-c', 'cp /run/list "$(ls -d /run/qemu-tap-hooks/*/)detached-br0.json"'])
      await ok(lab, 'brdown --force')
      expect(await ok(lab, 'brstatus')).toBe('br0: not there\n')
      expect((await run(lab, 'brup')).stderr).toBe('')
      expect((await linkOf(lab, 'tap0'))?.master).toBeUndefined()
      running.kill()
    })
  })

  test('that were ended are no hindrance', async () => {
    await inLab(async (lab) => {
      const before = await snapshot(lab)
      await ok(lab, 'brup')
      const { running } = await holdTap(lab, 'tap0')
      await ok(lab, 'qemu-ifup tap0')
      running.kill('SIGKILL')
      await running.exited
      await ok(lab, 'brdown')
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    })
  })
})

test('a bridge that does not exist is down already', async () => {
  await inLab(async (lab) => {
    await expectUntouched(lab, async () => {
      for (const line of ['brdown', 'brdown br9', 'brdown --force', 'brdown --dry-run'])
        expect((await run(lab, line)).exit).toBe(0)
    })
  })
})

describe('a bridge that brup did not raise', () => {
  test('and that has the host, since a script did what brup would', async () => {
    await inLab(async (lab) => {
      const script = await ok(lab, 'brup --dry-run')
      await lab.ok('host', ['sh', '-e'], { input: script })
      const hint = 'it has addresses: put them and its routes elsewhere before it goes'
      await expectEnding(lab, 'brdown', { says: `brdown: br0 was not raised by brup (${hint})` })
    })
  })

  test.each([
    ['a bridge', 'link add br0 type bridge'],
    ['no bridge', 'link add br0 type ifb'],
  ])('%s', async (_, line) => {
    await inLab(async (lab) => {
      await lab.ip('host', line)
      const says = 'brdown: br0 was not raised by brup (if it is yours: ip link del br0)'
      await expectEnding(lab, 'brdown', { says })
      await expectEnding(lab, 'brdown --force', { says })
      await expectEnding(lab, 'brdown --dry-run', { says })
    })
  })

  test('even in the place of ours', async () => {
    await inLab(async (lab) => {
      await ok(lab, 'brup')
      await lab.ip('host', ['link del br0', 'link add br0 type bridge'])
      await expectEnding(lab, 'brdown', {
        says: 'brdown: br0 is not the bridge that brup made: it does not carry its mark (if it may go: ip link del br0, then brdown again)',
      })
      await lab.ip('host', 'link del br0')
      await ok(lab, 'brdown')
      // Added anew, its IPv6 addresses are tentative for a moment.
      await until('all is reachable', async () => (await reachable(lab)).length === 0)
    })
  })
})

describe('brup of a bridge that is up', () => {
  const down = '(run brdown br0 first)'

  test('is done already', async () => {
    await inLab(
      async (lab) => {
        const first = 'brup --address 192.168.1.60/24 --gateway 192.168.1.1'
        await ok(lab, first)
        await expectUntouched(lab, async () => {
          for (const line of [first, 'brup', 'brup --uplink eth0', `${first} --uplink eth0`])
            expect(await run(lab, line)).toEqual({
              exit: 0,
              stdout: 'br0 is up already, with the uplink eth0\n',
              stderr: '',
            })
          const { steps, uplink } = JSON.parse(await ok(lab, 'brup --json')) as Record<string, unknown>
          expect([steps, uplink]).toEqual([[], 'eth0'])
        })
      },
      { secondUplink: { metric: 2000 } },
    )
  })

  test('is refused with other settings', async () => {
    await inLab(
      async (lab) => {
        await ok(lab, 'brup')
        const others = { says: `brup: br0 is up with other addresses or gateways ${down}` }
        await expectEnding(lab, 'brup --address 192.168.1.60/24', others)
        await expectEnding(lab, 'brup --gateway 192.168.1.9', others)
        await expectEnding(lab, 'brup --uplink eth1', {
          says: `brup: br0 is up with the uplink eth0, not with the uplink eth1 ${down}`,
        })
        await expectEnding(lab, 'brup br1 --uplink eth0', {
          says: 'brup: eth0 is already a port of br0 (run brdown br0 first, or take it out of br0)',
        })
      },
      { secondUplink: { metric: 2000 } },
    )
  })
})
