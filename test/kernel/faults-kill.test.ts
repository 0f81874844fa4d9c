import { expect, test } from 'vitest'

import { bin, faultyIp, shot, type Fault, type Faulty } from '../helpers/faults.ts'
import { reachableSoon } from '../helpers/soon.ts'
import { until } from '../helpers/tap.ts'
import { watchdogs } from '../helpers/watchdog.ts'
import { openLab, type Lab } from '../lab/lab.ts'
import { reachable } from '../lab/reachable.ts'
import { diffSnapshots } from '../lab/snapshot.ts'

type Name = 'brup' | 'brdown'

const names = ['brup', 'brdown'] as const

interface Scene {
  readonly lab: Lab
  readonly faulty: Faulty
  /** What each command ends with. */
  readonly after: Readonly<Record<Name, string>>
}

async function openScene(): Promise<Scene> {
  const lab = await openLab()
  const brdown = await shot(lab)
  await lab.ok('host', [bin('brup')])
  return { lab, faulty: await faultyIp(lab), after: { brdown, brup: await shot(lab) } }
}

const opposite = { brup: 'brdown', brdown: 'brup' } as const

/** In the state from which the command starts; throws when it cannot be brought there. */
async function bringTo(scene: Scene, command: Name): Promise<void> {
  await scene.lab.ok('host', [bin(opposite[command])])
  const left = diffSnapshots(scene.after[opposite[command]], await shot(scene.lab))
  if (left.length > 0) throw new Error(`not as at the start:\n${left.slice(0, 6).join('\n')}`)
}

interface Round {
  readonly command: Name
  readonly next: Name
  readonly fault: Fault
}

/** Kills, looks, recovers, looks. Undefined when the command ended before the fault. */
async function killed(scene: Scene, { command, next, fault }: Round): Promise<readonly string[] | undefined> {
  const { lab, faulty, after } = scene
  await bringTo(scene, command)
  const { exit, stderr } = await faulty.run([command], fault)
  if (faulty.hit() === '') return exit === 0 ? undefined : [`without a fault: exit ${exit}: ${stderr}`]
  const { silent } = await reachableSoon(lab)
  const lived = exit === 137 ? [] : [`${command} was not killed: exit ${exit}: ${stderr}`]
  const recovery = await lab.run('host', [bin(next)])
  const isRight = recovery.exit === 0 && recovery.stderr.includes(`what an unfinished ${command} left`)
  const wrong = isRight ? [] : [`exit ${recovery.exit}: ${recovery.stderr}`]
  const orphaned = (await faulty.orphaned()) ? ['the ip of the killed command is still there'] : []
  const left = [...diffSnapshots(after[next], await shot(lab)), ...(await reachable(lab))]
  const problems = [...lived, ...silent, ...wrong, ...orphaned, ...left].slice(0, 6)
  return problems.map((each) => `${command} at ${fault.at} (${faulty.hit()}), then ${next}: ${each}`)
}

/** The command alone is killed, and nobody does anything. */
async function watched(
  scene: Scene,
  { command, fault }: Omit<Round, 'next'>,
): Promise<readonly string[] | undefined> {
  const { lab, faulty, after } = scene
  await bringTo(scene, command)
  const { exit, stderr } = await faulty.run([command], fault)
  if (faulty.hit() === '') return exit === 0 ? undefined : [`without a fault: exit ${exit}: ${stderr}`]
  const { silent } = await reachableSoon(lab)
  await until('the watchdog is done', async () => (await watchdogs(lab)).length === 0)
  const orphaned = (await faulty.orphaned()) ? ['the ip of the killed command is still there'] : []
  const left = [...diffSnapshots(after[opposite[command]], await shot(lab)), ...(await reachable(lab))]
  const problems = [...silent, ...orphaned, ...left].slice(0, 6)
  return problems.map((each) => `${command} at ${fault.at} (${faulty.hit()}): ${each}`)
}

const most = 60
const leastLines = { brup: 20, brdown: 10 } as const

const cases = names.flatMap((command) =>
  (['signal', 'linger'] as const).flatMap((kind) => names.map((next) => ({ command, kind, next }))),
)

/** A round at each line until the command is through; what went wrong. */
async function atAnyLine(
  command: Name,
  play: (scene: Scene, at: number) => Promise<readonly string[] | undefined>,
): Promise<void> {
  const scene = await openScene()
  const problems: string[] = []
  let lines = 0
  try {
    for (let at = 1; at <= most; at += 1) {
      const found = await play(scene, at)
      if (found === undefined) break
      problems.push(...found)
      lines = at
    }
  } finally {
    await scene.lab.close()
  }
  expect(problems).toEqual([])
  expect(lines).toBeGreaterThanOrEqual(leastLines[command])
  expect(lines).toBeLessThan(most)
}

test.each(cases)(
  '$command killed with its watchdog at any line (a $kind), then $next',
  async ({ command, kind, next }) => {
    await atAnyLine(command, (scene, at) => {
      const fault: Fault = kind === 'linger' ? { kind, at } : { kind, at, signal: 'KILL' }
      return killed(scene, { command, next, fault })
    })
  },
  600_000,
)

test.each(names)(
  '%s killed at any line while its ip lingers: its watchdog ends that, and puts back the state before',
  async (command) => {
    await atAnyLine(command, (scene, at) => watched(scene, { command, fault: { kind: 'watched', at } }))
  },
  600_000,
)
