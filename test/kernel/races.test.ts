import { setTimeout as delay } from 'node:timers/promises'

import { describe, expect, test } from 'vitest'

import type { Lab } from '../lab/lab.ts'
import { reachable } from '../lab/reachable.ts'
import type { Result } from '../lab/run.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'
import { inLab, journals, linkOf, ok, run } from '../helpers/tap.ts'

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

const taps = Array.from({ length: 50 }, (_, i) => `tap${i}`)

interface Outcome {
  readonly down: Result
  /** By tap. */
  readonly hooks: ReadonlyMap<string, Result>
}

/** Fifty guests start within half a second, and a brdown somewhere among them. */
async function rush(lab: Lab, { line, after }: { line: string; after: number }): Promise<Outcome> {
  await ok(lab, 'brup')
  const down = delay(after).then(() => run(lab, line))
  const hooks = taps.map(async (tap, i) => {
    await delay(i * 10)
    return [tap, await run(lab, `qemu-ifup ${tap}`)] as const
  })
  return { down: await down, hooks: new Map(await Promise.all(hooks)) }
}

const masters = async (lab: Lab): Promise<Map<string, string | undefined>> => {
  const links = JSON.parse(await lab.ok('host', ['ip', '-j', 'link'])) as {
    ifname: string
    master?: string
  }[]
  return new Map(links.map(({ ifname, master }) => [ifname, master]))
}

/** The rush, in a lab of its own, at several moments; what the hooks said is checked each time. */
async function rushes(
  line: string,
  moments: readonly number[],
  check: (lab: Lab, outcome: Outcome) => Promise<void>,
): Promise<void> {
  await inLab(async (lab) => {
    await lab.ip(
      'host',
      taps.map((tap) => `tuntap add ${tap} mode tap`),
    )
    for (const after of moments) {
      const outcome = await rush(lab, { line, after })
      for (const { exit, stdout, stderr } of outcome.hooks.values()) {
        expect([stdout, exit === 0]).toEqual(['', stderr === ''])
        expect([0, 1, 3], stderr).toContain(exit)
      }
      await check(lab, outcome)
      expect(await reachable(lab)).toEqual([])
      await ok(lab, 'brdown --force')
      expect((await linkOf(lab, 'eth0'))?.master).toBeUndefined()
    }
  })
}

describe('fifty qemu-ifup against one brdown', () => {
  test('a hook that said 0 has its tap on the bridge, and no guest loses its bridge', async () => {
    const seen = new Set<number>()
    await rushes('brdown', [0, 400, 1500], async (lab, { down, hooks }) => {
      seen.add(down.exit)
      const now = await masters(lab)
      const joined = [...hooks].filter(([, { exit }]) => exit === 0).map(([tap]) => tap)
      expect(joined.filter((tap) => now.get(tap) !== 'br0')).toEqual([])
      const others = taps.filter((tap) => !joined.includes(tap))
      expect(others.filter((tap) => now.get(tap) !== undefined)).toEqual([])
      expect([down.exit, now.has('br0'), joined.length > 0], down.stderr).toEqual(
        down.exit === 0 ? [0, false, false] : [3, true, true],
      )
    })
    expect(seen).toContain(3)
  })

  test('with --force, a guest that was taken off is listed', async () => {
    await rushes('brdown --force', [200, 1500], async (lab, { down, hooks }) => {
      expect(down.exit, down.stderr).toBe(0)
      const now = await masters(lab)
      expect(now.has('br0')).toBe(false)
      const joined = [...hooks].filter(([, { exit }]) => exit === 0).map(([tap]) => tap)
      const listed = [...down.stderr.matchAll(/taken off br0: (\S+):/g)].map(([, tap]) => tap)
      expect(joined.filter((tap) => !listed.includes(tap))).toEqual([])
      expect(taps.filter((tap) => now.get(tap) !== undefined)).toEqual([])
    })
  })
})
