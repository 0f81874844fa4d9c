import { expect, test } from 'vitest'

import { bin, shot } from '../helpers/faults.ts'
import { reachableSoon } from '../helpers/soon.ts'
import { openLab, type Lab } from '../lab/lab.ts'
import { reachable } from '../lab/reachable.ts'
import { diffSnapshots } from '../lab/snapshot.ts'

type Name = 'brup' | 'brdown'

// QTH_KILLS=500 for a long run; QTH_SEED=… for the moments of an earlier one.
const count = Number(process.env['QTH_KILLS'] ?? 50)
const seed = Number(process.env['QTH_SEED'] ?? Date.now() % 1_000_000_000)

/** Of so many kills, at least so many meet a change under way: else they are not where they should be. */
const leastUnderWay = 0.1

interface Scene {
  readonly lab: Lab
  /** What each command ends with. */
  readonly after: Readonly<Record<Name, string>>
  /** How long each takes here, in milliseconds. */
  readonly duration: Readonly<Record<Name, number>>
}

/** Evenly spread from 0 to 1, the same for the same seed (mulberry32). */
function momentsOf(start: number, length: number): readonly number[] {
  let state = start
  return Array.from({ length }, () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  })
}

const opposite = { brup: 'brdown', brdown: 'brup' } as const

async function timed(lab: Lab, command: Name): Promise<number> {
  const start = performance.now()
  await lab.ok('host', [bin(command)])
  return performance.now() - start
}

async function openScene(): Promise<Scene> {
  const lab = await openLab()
  const lowered = await shot(lab)
  const brup = await timed(lab, 'brup')
  const raised = await shot(lab)
  const brdown = await timed(lab, 'brdown')
  return { lab, after: { brup: raised, brdown: lowered }, duration: { brup, brdown } }
}

// In the lab, so that nothing but the kernel's clock lies between. The second one counts from when it has the lock.
const scripts = [
  '"$1" & pid=$!; sleep "$2"; kill -9 $pid; wait $pid',
  '"$1" & pid=$!; until [ -e /run/qemu-tap-hooks/*/lock.lock ] || ! kill -0 $pid; do sleep 0.002; done; sleep "$2"; kill -9 $pid; wait $pid',
] as const

interface Verdict {
  /** Whether the command lived to its end. */
  readonly ended: boolean
  readonly underWay: boolean
  /** Until the host was reachable. */
  readonly milliseconds: number
  readonly problems: readonly string[]
}

interface Round {
  readonly command: Name
  readonly next: Name
  /** 0 at the start of the command or when it has the lock, 1 after as long as it takes as a whole. */
  readonly moment: number
  readonly from: 0 | 1
}

/** Kills the command, looks whether the host is reachable, runs the next one, and looks whether it is as it should be. */
async function round(scene: Scene, { command, next, moment, from }: Round): Promise<Verdict> {
  const { lab, after, duration } = scene
  await lab.ok('host', [bin(opposite[command])])
  const seconds = ((moment * duration[command]) / 1000).toFixed(4)
  const { exit } = await lab.run('host', ['sh', '-c', scripts[from], 'kill', bin(command), seconds])
  const { silent, milliseconds } = await reachableSoon(lab)
  const recovery = await lab.run('host', [bin(next)])
  const underWay = recovery.stderr.includes(`what an unfinished ${command} left`)
  const wrong = recovery.exit === 0 ? [] : [`exit ${recovery.exit}: ${recovery.stderr}`]
  const left = [...diffSnapshots(after[next], await shot(lab)), ...(await reachable(lab))]
  const problems = [...silent, ...wrong, ...left].slice(0, 6)
  const where = `${command} killed after ${seconds} s (from ${from}), then ${next}`
  const lines = problems.map((each) => `${where}: ${each}`)
  return { ended: exit !== 137, underWay, milliseconds, problems: lines }
}

/** Rounds until enough of them killed something. */
async function killRounds(command: Name): Promise<readonly Verdict[]> {
  const scene = await openScene()
  const found: Verdict[] = []
  try {
    for (const [index, moment] of momentsOf(seed, 4 * count).entries()) {
      if (found.length === count || found.some(({ problems }) => problems.length > 0)) break
      const next = index % 2 === 0 ? 'brup' : 'brdown'
      const verdict = await round(scene, { command, next, moment, from: index % 4 < 2 ? 0 : 1 })
      if (!verdict.ended || verdict.problems.length > 0) found.push(verdict)
    }
  } finally {
    await scene.lab.close()
  }
  return found
}

test.each(['brup', 'brdown'] as const)(
  `%s is killed at ${count} random moments (seed ${seed}): reachable, and the next command takes it back`,
  async (command) => {
    const verdicts = await killRounds(command)
    const underWay = verdicts.filter((verdict) => verdict.underWay).length
    const slowest = Math.max(...verdicts.map(({ milliseconds }) => milliseconds))
    console.log(
      `seed ${seed}: ${command} killed ${verdicts.length} times, ${underWay} with a change under way; ` +
        `reachable after ${slowest} ms at most`,
    )
    expect(verdicts.flatMap(({ problems }) => problems)).toEqual([])
    expect(verdicts.length).toBe(count)
    expect(underWay).toBeGreaterThanOrEqual(leastUnderWay * count)
  },
  count * 20_000,
)
