import { describe, expect, test } from 'vitest'

import type { Lab } from '../lab/lab.ts'
import { reachable } from '../lab/reachable.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'
import type { Running } from '../lab/start.ts'
import { bin, holdTap, inLab, journals, linkOf, ok, run, until } from '../helpers/tap.ts'
import { processesLike, watchdogs } from '../helpers/watchdog.ts'

/** `brup --try`: up, and back again unless somebody says that it may stay. */

const isOn = (running: Running): Promise<boolean> => Promise.resolve(running.stderr().includes('is on trial'))

async function startTrial(lab: Lab, seconds: number, wrapped: readonly string[] = []): Promise<Running> {
  const running = await lab.start('host', [...wrapped, bin('brup'), '--try', String(seconds)])
  await until('the trial has begun', () => isOn(running))
  return running
}

/** A trial in a lab of its own, with a look at what is left. */
async function trial(
  seconds: number,
  work: (lab: Lab, running: Running) => Promise<unknown>,
  wrapped: readonly string[] = [],
): Promise<void> {
  await inLab(async (lab) => {
    const before = await snapshot(lab)
    await work(lab, await startTrial(lab, seconds, wrapped))
    await until('no watchdog is left', async () => (await watchdogs(lab)).length === 0)
    expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    expect(await journals(lab)).toBe('')
    expect(await reachable(lab)).toEqual([])
  })
}

/** As it is when it may stay. */
async function expectKept(lab: Lab): Promise<void> {
  expect((await linkOf(lab, 'eth0'))?.master).toBe('br0')
  expect(await ok(lab, 'brup')).toBe('br0 is up already, with the uplink eth0\n')
  await ok(lab, 'brdown')
}

const intro = (seconds: number): string =>
  `brup: br0 is on trial for ${seconds} s: brup br0 --accept keeps it, brdown br0 ends it\n`
const taking = 'br0: taking back what was on trial\n'

describe('a trial that nobody accepts', () => {
  test('is taken back when its time is over', async () => {
    await trial(2, async (lab, running) => {
      expect(await reachable(lab)).toEqual([])
      expect((await linkOf(lab, 'eth0'))?.master).toBe('br0')
      expect((await running.exited).exit).toBe(1)
      const end = 'brup: nobody accepted br0 within 2 s; everything was put back\n'
      expect(running.stderr()).toBe(`${intro(2)}brup: ${taking}${end}`)
    })
  })

  test('gives no lease back the time that it had before it was renewed', async () => {
    await inLab(async (lab) => {
      const leased = ['192.168.1.60/24', 'fd01::60/64']
      const lines = (verb: string, dev: string, seconds: number): readonly string[] =>
        leased.map(
          (cidr) =>
            `addr ${verb} ${cidr} dev ${dev} valid_lft ${seconds} preferred_lft ${seconds}${cidr.includes(':') ? ' nodad' : ''}`,
        )
      await lab.ip('host', lines('add', 'eth0', 10))
      const running = await startTrial(lab, 2)
      await lab.ip('host', lines('change', 'br0', 600))
      expect((await running.exited).exit).toBe(1)
      const text = await lab.ok('host', ['ip', '-j', 'addr', 'show', 'dev', 'eth0', 'dynamic'])
      const [link] = JSON.parse(text) as { addr_info: { local?: string; valid_life_time: number }[] }[]
      const times = (link?.addr_info ?? []).filter(({ local }) => local !== undefined)
      expect(times).toHaveLength(2)
      for (const { valid_life_time } of times) expect(valid_life_time).toBeGreaterThan(500)
    })
  })

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('is taken back at once by %s', async (name, exit) => {
    await trial(600, async (_, running) => {
      running.kill(name)
      expect((await running.exited).exit).toBe(exit)
      expect(running.stderr()).toContain(`brup: ended by ${name}; everything was put back\n`)
    })
  })

  test('is taken back by the watchdog when the command was killed', async () => {
    await trial(3, async (lab, running) => {
      running.kill('SIGKILL')
      await running.exited
      expect(await ok(lab, 'brstatus')).toMatch(/^ {2}on trial: \d s left \(brup br0 --accept keeps it\)$/m)
      expect((await linkOf(lab, 'eth0'))?.master).toBe('br0')
    })
  })

  test('is taken back by the watchdog while the command is stopped', async () => {
    await trial(
      2,
      async (lab, running) => {
        const [pid = 0] = await processesLike(lab, `*node -- ${bin('brup')} --try*`)
        await lab.ok('host', ['kill', '-STOP', String(pid)])
        await until('the watchdog has done it', async () => (await linkOf(lab, 'br0')) === undefined)
        await lab.ok('host', ['kill', '-CONT', String(pid)])
        expect((await running.exited).exit).toBe(1)
      },
      // Not right under nsenter, which stops with its child.
      ['sh', '-c', '"$@"; exit $?', 'sh'],
    )
  })

  test('is taken back at once when its watchdog is told to end and the command is gone', async () => {
    await trial(600, async (lab, running) => {
      running.kill('SIGKILL')
      await running.exited
      await lab.ok('host', ['kill', '-TERM', ...(await watchdogs(lab)).map(String)])
    })
  })

  test.each(['brup', 'brdown'])(
    'is taken back by the next %s when nobody was left to do it',
    async (next) => {
      await trial(1, async (lab, running) => {
        await lab.ok('host', ['kill', '-9', ...(await watchdogs(lab)).map(String)])
        running.kill('SIGKILL')
        await until('its time is over', async () => /unfinished brup/.test(await ok(lab, 'brstatus')))
        expect((await linkOf(lab, 'eth0'))?.master).toBe('br0')
        const { exit, stderr } = await run(lab, next)
        expect({ exit, stderr }).toEqual({ exit: 0, stderr: `${next}: ${taking}` })
        await ok(lab, 'brdown')
      })
    },
  )

  test('is ended by brdown', async () => {
    await trial(600, async (lab, running) => {
      const { exit, stdout, stderr } = await run(lab, 'brdown')
      const text = 'br0 is down; eth0 is as it was before\n'
      expect({ exit, stdout, stderr }).toEqual({ exit: 0, stdout: text, stderr: `brdown: ${taking}` })
      expect((await running.exited).exit).toBe(1)
      const end = 'brup: the trial of br0 was ended; everything was put back\n'
      expect(running.stderr()).toBe(`${intro(600)}${end}`)
    })
  })

  test('is no ground for another change', async () => {
    await trial(600, async (lab) => {
      const way = 'brup br0 --accept keeps it, brdown br0 ends it'
      for (const line of ['brup', 'brup --try 5', 'brup --uplink eth0']) {
        const { exit, stderr } = await run(lab, line)
        expect(exit).toBe(3)
        expect(stderr).toMatch(new RegExp(`^brup: br0 is on trial for another \\d+ s \\(${way}\\)\\n$`))
      }
      await ok(lab, 'brdown')
    })
  })
})

describe('a trial that is accepted', () => {
  test('by brup --accept from elsewhere stays', async () => {
    await trial(600, async (lab, running) => {
      const stays = 'with the uplink eth0\n'
      expect(await ok(lab, 'brup --accept')).toBe(`br0 is kept, ${stays}`)
      expect((await running.exited).exit).toBe(0)
      expect(running.stdout()).toBe(`br0 is up, ${stays}`)
      expect(await ok(lab, 'brup br0 --accept')).toBe(`br0 is kept already, ${stays}`)
      await expectKept(lab)
    })
  })

  test('after the command was killed stays beyond its time', async () => {
    await trial(3, async (lab, running) => {
      running.kill('SIGKILL')
      await running.exited
      await ok(lab, 'brup --accept')
      await until('the watchdog has left', async () => (await watchdogs(lab)).length === 0)
      await expectKept(lab)
    })
  })

  test('after its terminal hung up stays', async () => {
    await trial(600, async (lab, running) => {
      running.kill('SIGHUP')
      await ok(lab, 'brstatus')
      await ok(lab, 'brup --accept')
      expect((await running.exited).exit).toBe(0)
      await expectKept(lab)
    })
  })

  test('is no trial at all where the bridge is up', async () => {
    await inLab(async (lab) => {
      await ok(lab, 'brup')
      expect(await ok(lab, 'brup --try 1')).toBe('br0 is up already, with the uplink eth0\n')
      await ok(lab, 'brdown')
      const { exit, stderr } = await run(lab, 'brup --accept')
      expect(exit).toBe(3)
      expect(stderr).toBe('brup: br0 is not on trial: it is not up (run brup br0 --try SECONDS)\n')
    })
  })
})

describe('on a terminal', () => {
  const onTerminal = (seconds: number): string[] => [
    ...['script', '-qefc', `${bin('brup')} --try ${seconds}`, '/dev/null'],
  ]

  test('it counts down, and Enter keeps it', async () => {
    await inLab(async (lab) => {
      const running = await lab.start('host', onTerminal(60))
      await running.waitFor(/press Enter to keep it, 60 s left/)
      await running.waitFor(/press Enter to keep it, 58 s left/)
      running.stdin.write('\n')
      expect((await running.exited).exit).toBe(0)
      expect(running.stdout()).toMatch(/br0 is up, with the uplink eth0\r\n$/)
      await expectKept(lab)
    })
  })

  test('that hangs up it goes back when its time is over', async () => {
    await inLab(async (lab) => {
      const before = await snapshot(lab)
      const running = await lab.start('host', onTerminal(4))
      await running.waitFor(/press Enter to keep it, \d s left/)
      running.kill('SIGKILL')
      await running.exited
      expect((await linkOf(lab, 'eth0'))?.master).toBe('br0')
      await until('it went back', async () => (await linkOf(lab, 'br0')) === undefined)
      await until('no watchdog is left', async () => (await watchdogs(lab)).length === 0)
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    })
  })

  test('in its background it does not read what is typed there', async () => {
    await inLab(async (lab) => {
      const line = `set -m; ${bin('brup')} --try 2 & sleep 0.1; read -r line; echo "read $line"; wait $!; echo "exit $?"`
      const running = await lab.start('host', ['script', '-qefc', `bash -c '${line}'`, '/dev/null'])
      await running.waitFor(/is on trial/)
      running.stdin.write('typed\n')
      await running.waitFor(/read typed/)
      await running.waitFor(/exit 1\b/)
      running.stdin.end()
      await running.exited
      expect(await linkOf(lab, 'br0')).toBeUndefined()
    })
  })
})

describe('guests during a trial', () => {
  test('are taken off, listed, and attached again by the next brup', async () => {
    await inLab(async (lab) => {
      const running = await startTrial(lab, 4)
      const tap = await holdTap(lab, 'tap0')
      await ok(lab, 'qemu-ifup tap0')
      const who = `pid ${tap.pid} (perl)`
      const refused = await run(lab, 'brdown')
      expect(refused.exit).toBe(3)
      expect(refused.stderr).toContain(`  tap0: held by ${who}\n`)
      expect((await running.exited).exit).toBe(1)
      expect(running.stderr()).toContain(`brup: taken off br0: tap0: held by ${who}\n`)
      expect((await linkOf(lab, 'tap0'))?.master).toBeUndefined()
      const listed = `  detached tap0, pid ${tap.pid} perl, the next brup br0 attaches it\n`
      expect(await ok(lab, 'brstatus')).toBe(`br0: not there\n${listed}`)
      const up = await run(lab, 'brup')
      expect({ exit: up.exit, stderr: up.stderr }).toEqual({
        exit: 0,
        stderr: 'brup: tap0 is on br0 again\n',
      })
      expect((await linkOf(lab, 'tap0'))?.master).toBe('br0')
      expect(await ok(lab, 'brstatus')).not.toContain('detached')
      tap.running.kill()
    })
  })

  test('that have gone meanwhile are forgotten', async () => {
    await inLab(async (lab) => {
      const running = await startTrial(lab, 600)
      const tap = await holdTap(lab, 'tap0')
      await ok(lab, 'qemu-ifup tap0')
      const { exit, stderr } = await run(lab, 'brdown --force')
      expect({ exit, said: stderr.includes('taken off br0: tap0') }).toEqual({ exit: 0, said: true })
      expect((await running.exited).exit).toBe(1)
      tap.running.kill()
      await until('the tap is gone', async () => (await linkOf(lab, 'tap0')) === undefined)
      expect(await ok(lab, 'brstatus')).toBe('br0: not there\n')
      expect((await run(lab, 'brup')).stderr).toBe('')
    })
  })
})
