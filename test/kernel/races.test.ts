import { describe, expect, test } from 'vitest'

import type { Lab } from '../lab/lab.ts'
import { reachable } from '../lab/reachable.ts'
import type { Result } from '../lab/run.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'
import { bin, inLab, journals, linkOf, ok, run, type Bin } from '../helpers/tap.ts'

/** Commands that are started at once: whoever comes first, the network and what the commands said agree. */

const atOnce = (lab: Lab, ...lines: readonly string[]): Promise<Result[]> =>
  Promise.all(lines.map((line) => run(lab, line)))

const exits = (results: readonly Result[]): number[] => results.map(({ exit }) => exit)

/** Either up, with a journal, or down without one; and reachable. */
async function expectWhole(lab: Lab, bridge: string): Promise<boolean> {
  const isUp = (await linkOf(lab, bridge)) !== undefined
  expect((await linkOf(lab, 'eth0'))?.master).toBe(isUp ? bridge : undefined)
  expect((await journals(lab)).includes(`journal-${bridge}.json`)).toBe(isUp)
  expect(await reachable(lab)).toEqual([])
  return isUp
}

async function expectLowered(lab: Lab, before: string): Promise<void> {
  expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
  expect(await journals(lab)).toBe('')
}

test('two brup, then two brdown', async () => {
  await inLab(async (lab) => {
    const before = await snapshot(lab)
    for (let round = 0; round < 3; round += 1) {
      const up = await atOnce(lab, 'brup --quiet', 'brup --quiet')
      expect(up).toEqual([1, 2].map(() => ({ exit: 0, stdout: '', stderr: '' })))
      expect(await expectWhole(lab, 'br0')).toBe(true)
      const down = await atOnce(lab, 'brdown --quiet', 'brdown --quiet')
      expect(down).toEqual([1, 2].map(() => ({ exit: 0, stdout: '', stderr: '' })))
      await expectLowered(lab, before)
    }
  })
})

test('brup against brdown', async () => {
  await inLab(async (lab) => {
    const before = await snapshot(lab)
    for (let round = 0; round < 8; round += 1) {
      const ends = await atOnce(lab, 'brup', 'brdown')
      expect(exits(ends), ends.map(({ stderr }) => stderr).join('')).toEqual([0, 0])
      await expectWhole(lab, 'br0')
    }
    await ok(lab, 'brdown')
    await expectLowered(lab, before)
  })
})

test('brup of two bridges on one uplink: one is refused', async () => {
  await inLab(async (lab) => {
    const before = await snapshot(lab)
    for (let round = 0; round < 3; round += 1) {
      const ends = await atOnce(lab, 'brup br0', 'brup br1', 'brup br2 --uplink eth0')
      expect(exits(ends).sort(), ends.map(({ stderr }) => stderr).join('')).toEqual([0, 3, 3])
      const winner = `br${exits(ends).indexOf(0)}`
      expect((await linkOf(lab, 'eth0'))?.master).toBe(winner)
      expect(await reachable(lab)).toEqual([])
      await ok(lab, `brdown ${winner}`)
      await expectLowered(lab, before)
    }
  })
})

test('brup of two bridges on two uplinks, then brdown of both', async () => {
  await inLab(
    async (lab) => {
      const before = await snapshot(lab)
      for (let round = 0; round < 3; round += 1) {
        const up = await atOnce(lab, 'brup br0 --uplink eth0', 'brup br1 --uplink eth1')
        expect(exits(up), up.map(({ stderr }) => stderr).join('')).toEqual([0, 0])
        for (const n of [0, 1]) expect((await linkOf(lab, `eth${n}`))?.master).toBe(`br${n}`)
        expect(await reachable(lab)).toEqual([])
        const down = await atOnce(lab, 'brdown br0', 'brdown br1')
        expect(exits(down), down.map(({ stderr }) => stderr).join('')).toEqual([0, 0])
        await expectLowered(lab, before)
      }
    },
    { secondUplink: { metric: 200 } },
  )
})

test('brup and brdown in two namespaces at once', async () => {
  await inLab(async (lab) => {
    const places = [
      ['host', 'eth0'],
      ['router', 'r1'],
    ] as const
    const everywhere = async (command: 'brup' | 'brdown'): Promise<void> => {
      const ends = await Promise.all(
        places.map(([node, uplink]) =>
          lab.run(node, [bin(command), ...(command === 'brup' ? ['--uplink', uplink] : [])]),
        ),
      )
      expect(exits(ends), ends.map(({ stderr }) => stderr).join('')).toEqual([0, 0])
      expect(await reachable(lab)).toEqual([])
    }
    const before = await Promise.all(places.map(([node]) => snapshot(lab, node)))
    for (let round = 0; round < 3; round += 1) {
      await everywhere('brup')
      for (const [node, uplink] of places)
        expect(await lab.ok(node, ['ip', '-o', 'link', 'show', 'master', 'br0'])).toContain(` ${uplink}`)
      await everywhere('brdown')
      for (const [i, [node]] of places.entries())
        expect(diffSnapshots(before[i] ?? '', await snapshot(lab, node))).toEqual([])
      expect(await journals(lab)).toBe('')
    }
  })
})

const taps = Array.from({ length: 200 }, (_, i) => `tap${i}`)

interface Outcome {
  readonly command: Result
  /** By tap. */
  readonly hooks: ReadonlyMap<string, Omit<Result, 'stdout'>>
}

/** When the command starts: the hooks then are on their way, look around for the first time, or begin to join. */
const moments = {
  start: 'true',
  look: 'pgrep -x ip >/dev/null',
  join: 'ip link show master br0 | grep -q tap',
} as const

type Moment = keyof typeof moments

// One shell starts all hooks and does not wait; the command is not held up by them, so that it meets them half-way.
const rushScript = `
hook=$1; moment=$2; shift 2
rm -rf /run/rush; mkdir /run/rush; cd /run/rush
{
  nice -n -19 sh -c 'until eval "$0"; do :; done; exec "$@"' "$moment" "$@" >out 2>err
  echo $? >exit
} &
i=0
while [ $i -lt ${taps.length} ]; do
  { "$hook" tap$i >tap$i.said 2>&1; echo $? >tap$i.exit; } &
  i=$((i + 1))
done
wait
for i in *.exit; do echo "\${i%.exit} $(cat $i) $(cat \${i%.exit}.said)"; done`

/** All guests start at once, and a command at a moment of theirs. */
async function rush(lab: Lab, line: string, moment: Moment): Promise<Outcome> {
  const [name, ...args] = line.split(' ')
  const words = [bin('qemu-ifup'), moments[moment], bin(name as Bin), ...args]
  const text = await lab.ok('host', ['sh', '-c', rushScript, 'rush', ...words], { timeout: 170_000 })
  const hooks = text.matchAll(/^(tap\d+) (\d+) ?(.*)$/gm)
  const file = async (path: string): Promise<string> => lab.ok('host', ['cat', `/run/rush/${path}`])
  return {
    command: { exit: Number(await file('exit')), stdout: await file('out'), stderr: await file('err') },
    hooks: new Map(
      [...hooks].map(([, tap = '', exit, stderr = '']) => [tap, { exit: Number(exit), stderr }]),
    ),
  }
}

const masters = async (lab: Lab): Promise<Map<string, string | undefined>> => {
  const links = JSON.parse(await lab.ok('host', ['ip', '-j', 'link'])) as {
    ifname: string
    master?: string
  }[]
  return new Map(links.map(({ ifname, master }) => [ifname, master]))
}

/** What all rushes must show: no hook said 0 whose tap is elsewhere, but for those that the command has named. */
async function expectTrue(lab: Lab, { command, hooks }: Outcome): Promise<readonly string[]> {
  expect(hooks.size).toBe(taps.length)
  for (const { exit, stderr } of hooks.values()) {
    expect(exit === 0).toBe(stderr === '')
    expect([0, 1, 3, 5], stderr).toContain(exit)
  }
  const now = await masters(lab)
  const joined = [...hooks].filter(([, { exit }]) => exit === 0).map(([tap]) => tap)
  const listed = [...command.stderr.matchAll(/taken off br0: (\S+):/g)].map(([, tap]) => tap)
  expect(joined.filter((tap) => now.get(tap) !== 'br0' && !listed.includes(tap))).toEqual([])
  const others = taps.filter((tap) => !joined.includes(tap))
  expect(others.filter((tap) => now.get(tap) !== undefined)).toEqual([])
  expect(await reachable(lab)).toEqual([])
  return joined
}

interface Rushes {
  /** What makes the state before each. */
  readonly prepare: string
  readonly at: readonly Moment[]
  readonly check: (lab: Lab, outcome: Outcome, joined: readonly string[]) => Promise<void>
}

/** Rushes one after the other, in one lab; prints how each ended. */
async function rushes(line: string, { prepare, at, check }: Rushes): Promise<void> {
  await inLab(async (lab) => {
    await lab.ip(
      'host',
      taps.map((tap) => `tuntap add ${tap} mode tap`),
    )
    for (const moment of at) {
      await ok(lab, prepare)
      const outcome = await rush(lab, line, moment)
      const joined = await expectTrue(lab, outcome)
      const ends = [...outcome.hooks.values()].map(({ exit }) => exit)
      const counts = [0, 1, 3, 5].map((exit) => `${ends.filter((each) => each === exit).length} with ${exit}`)
      console.log(`${line} (${outcome.command.exit}) at ${moment}: hooks ended ${counts.join(', ')}`)
      await check(lab, outcome, joined)
      await ok(lab, 'brdown --force')
      expect((await linkOf(lab, 'eth0'))?.master).toBeUndefined()
    }
  })
}

describe(`${taps.length} qemu-ifup at once`, () => {
  test('against one brup: who came too early says so, all others are on the bridge', async () => {
    const check: Rushes['check'] = async (lab, { command }) => {
      expect(command.exit, command.stderr).toBe(0)
      expect((await linkOf(lab, 'eth0'))?.master).toBe('br0')
    }
    await rushes('brup', { prepare: 'brdown', at: ['start', 'look'], check })
  })

  test('against one brdown: no guest loses its bridge', async () => {
    const check: Rushes['check'] = async (lab, { command }, joined) => {
      const isUp = (await linkOf(lab, 'br0')) !== undefined
      expect([command.exit, isUp, joined.length > 0], command.stderr).toEqual(
        command.exit === 0 ? [0, false, false] : [3, true, true],
      )
    }
    await rushes('brdown', { prepare: 'brup', at: ['start', 'look', 'join'], check })
  })

  test('against one brdown --force: who was taken off is named', async () => {
    const check: Rushes['check'] = async (lab, { command }) => {
      expect(command.exit, command.stderr).toBe(0)
      expect(await linkOf(lab, 'br0')).toBeUndefined()
    }
    await rushes('brdown --force', { prepare: 'brup', at: ['look', 'join'], check })
  })
})
