import { setTimeout as delay } from 'node:timers/promises'

import { describe, expect, test } from 'vitest'

import { bin, shot } from '../helpers/faults.ts'
import { reachableSoon } from '../helpers/soon.ts'
import { until } from '../helpers/tap.ts'
import { processScript, watchdogs } from '../helpers/watchdog.ts'
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
const waits = [
  'sleep "$2"',
  'until [ -e /run/qemu-tap-hooks/*/lock.lock ] || ! kill -0 $pid; do sleep 0.002; done; sleep "$2"',
] as const

const killing = {
  command: 'kill -9 $pid',
  /** Both at one moment: the command is stopped while its watchdog is looked for. */
  both: `kill -STOP $pid
kill -9 $pid $(set -- 'qemu-tap-hooks-watchdog*'; ${processScript})`,
} as const

/** Says whether a change was under way: a journal that is still a draft (`.json.new`) says nothing yet. */
const killScript = (from: 0 | 1, whom: keyof typeof killing): string =>
  `"$1" & pid=$!; ${waits[from]}; ${killing[whom]}; grep -ls '"pending"' /run/qemu-tap-hooks/*/journal-*.json; wait $pid`

interface Round {
  readonly command: Name
  /** 0 at the start of the command or when it has the lock, 1 after as long as it takes as a whole. */
  readonly moment: number
  readonly from: 0 | 1
  readonly next: Name
}

interface Killed {
  readonly where: string
  /** Whether the command lived to its end. */
  readonly ended: boolean
  readonly underWay: boolean
}

async function kill(scene: Scene, round: Round, whom: keyof typeof killing): Promise<Killed> {
  const { lab, duration } = scene
  const { command, moment, from } = round
  await lab.ok('host', [bin(opposite[command])])
  const seconds = ((moment * duration[command]) / 1000).toFixed(4)
  const { exit, stdout } = await lab.run('host', [
    ...['sh', '-c', killScript(from, whom), 'kill'],
    ...[bin(command), seconds],
  ])
  const where = `${command} killed after ${seconds} s (from ${from})`
  return { where, ended: exit !== 137, underWay: stdout.includes('journal-') }
}

interface Verdict extends Killed {
  /** Until the host was as it should be. */
  readonly milliseconds: number
  readonly problems: readonly string[]
}

/** Its watchdog takes it back; long before that the host is reachable. */
async function watchedRound(scene: Scene, round: Round): Promise<Verdict> {
  const { lab, after } = scene
  const killed = await kill(scene, round, 'command')
  const start = performance.now()
  const { silent } = await reachableSoon(lab)
  const before = after[opposite[round.command]]
  const isDone = async (): Promise<boolean> => {
    const now = await shot(lab)
    return now === before || (!killed.underWay && now === after[round.command])
  }
  while (!(await isDone()) && performance.now() - start < 10_000) await delay(5)
  const milliseconds = Math.round(performance.now() - start)
  await until('no watchdog is left', async () => (await watchdogs(lab)).length === 0)
  const now = await shot(lab)
  const left = now === after[round.command] && !killed.underWay ? [] : diffSnapshots(before, now)
  return { ...killed, milliseconds, problems: [...silent, ...left, ...(await reachable(lab))] }
}

/** Nobody is left to take it back: the host is reachable as it is, and the next command does. */
async function unwatchedRound(scene: Scene, round: Round): Promise<Verdict> {
  const { lab, after } = scene
  const { next, command } = round
  const killed = await kill(scene, round, 'both')
  const { silent, milliseconds } = await reachableSoon(lab)
  const { exit, stderr } = await lab.run('host', [bin(next)])
  const said = stderr.includes(`what an unfinished ${command} left`)
  const wrong = exit === 0 && said === killed.underWay ? [] : [`${next}: exit ${exit}: ${stderr}`]
  const left = [...diffSnapshots(after[next], await shot(lab)), ...(await reachable(lab))]
  return { ...killed, milliseconds, problems: [...silent, ...wrong, ...left] }
}

type Play = (scene: Scene, round: Round) => Promise<Verdict>

/** Rounds until enough of them killed something. */
async function killRounds(command: Name, play: Play): Promise<readonly Verdict[]> {
  const scene = await openScene()
  const found: Verdict[] = []
  try {
    for (const [index, moment] of momentsOf(seed, 4 * count).entries()) {
      if (found.length === count || found.some(({ problems }) => problems.length > 0)) break
      const next = index % 2 === 0 ? 'brup' : 'brdown'
      const verdict = await play(scene, { command, next, moment, from: index % 4 < 2 ? 0 : 1 })
      if (!verdict.ended || verdict.problems.length > 0) found.push(verdict)
    }
  } finally {
    await scene.lab.close()
  }
  return found
}

const plays: readonly (readonly [string, Play])[] = [
  ['its watchdog puts back the state before', watchedRound],
  ['with its watchdog: reachable, and the next command puts it back', unwatchedRound],
]

describe.each(['brup', 'brdown'] as const)('%s killed', (command) => {
  test.each(plays)(
    `at ${count} random moments (seed ${seed}): %s`,
    async (_, play) => {
      const verdicts = await killRounds(command, play)
      const underWay = verdicts.filter((verdict) => verdict.underWay)
      const slowest = Math.max(...underWay.map(({ milliseconds }) => milliseconds))
      const what = play === watchedRound ? 'the state before was back' : 'reachable'
      console.log(
        `seed ${seed}: ${command} killed ${verdicts.length} times, ${underWay.length} with a change under way; ` +
          `${what} after ${slowest} ms at most`,
      )
      const lines = verdicts.flatMap(({ where, problems }) => problems.map((each) => `${where}: ${each}`))
      expect(lines.slice(0, 6)).toEqual([])
      expect(verdicts.length).toBe(count)
      expect(underWay.length).toBeGreaterThanOrEqual(leastUnderWay * count)
    },
    count * 20_000,
  )
})
