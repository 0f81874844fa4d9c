import { expect, test } from 'vitest'

import { bin, faultyIp, shot, type Faulty } from '../helpers/faults.ts'
import { reachableSoon } from '../helpers/soon.ts'
import { openLab, type Lab } from '../lab/lab.ts'
import { reachable } from '../lab/reachable.ts'
import { diffSnapshots } from '../lab/snapshot.ts'

type Name = 'brup' | 'brdown'

interface Scene {
  readonly lab: Lab
  readonly faulty: Faulty
  readonly lowered: string
}

async function openScene(): Promise<Scene> {
  const lab = await openLab()
  return { lab, faulty: await faultyIp(lab), lowered: await shot(lab) }
}

const few = (lines: readonly string[]): readonly string[] => lines.slice(0, 6)

/** What differs from the network before any brup, and what is not reachable. */
const leftIn = async ({ lab, lowered }: Scene): Promise<readonly string[]> =>
  few([...diffSnapshots(lowered, await shot(lab)), ...(await reachable(lab))])

/** Every few lines: each such rollback takes its time to give up. */
const stride = 3

/** From this line on `ip` refuses everything: 4 and a list when something is left, 1 when nothing is; then it works again. */
async function refusedForGood(
  scene: Scene,
  command: Name,
  at: number,
): Promise<readonly string[] | undefined> {
  const { lab, faulty } = scene
  if (command === 'brdown') await lab.ok('host', [bin('brup')])
  const before = await shot(lab)
  const { exit, stderr } = await faulty.run([command], { kind: 'refuse-all', at })
  if (faulty.hit() === '') return undefined
  const left = diffSnapshots(before, await shot(lab))
  const listed = stderr.includes('the rollback is incomplete') && /^ {2}\S/m.test(stderr)
  const isHonest = left.length === 0 ? exit === 1 : exit === 4 && listed
  const dishonest = isHonest ? [] : [`exit ${exit}: ${stderr}`, ...few(left)]
  const silent = await reachable(lab)
  const next = await lab.run('host', [bin('brdown')])
  const wrong = next.exit === 0 ? [] : [`brdown: exit ${next.exit}: ${next.stderr}`]
  const problems = [...dishonest, ...silent, ...wrong, ...(await leftIn(scene))]
  return problems.map((each) => `${command} at ${at} (${faulty.hit()}): ${each}`)
}

test.each(['brup', 'brdown'] as const)(
  '%s says so when its rollback is refused, too, and the next command ends it',
  async (command) => {
    const scene = await openScene()
    const problems: string[] = []
    let rounds = 0
    for (let at = 1; ; at += stride) {
      const found = await refusedForGood(scene, command, at)
      if (found === undefined) break
      rounds += 1
      problems.push(...found)
    }
    await scene.lab.close()
    expect(problems).toEqual([])
    expect(rounds).toBeGreaterThan(2)
  },
  600_000,
)

test('an ip that hangs is ended after its time, and everything is taken back', async () => {
  const scene = await openScene()
  const { exit, stderr } = await scene.faulty.run(['brup'], { kind: 'hang', at: 17 })
  const left = await leftIn(scene)
  await scene.lab.close()
  expect({ exit, left }).toEqual({ exit: 1, left: [] })
  expect(stderr).toMatch(/did not end within 30 s.*everything was put back/s)
})

/** Before the switch, and after it. */
const killedAt = [8, 17] as const

test.each(killedAt)(
  'a recovery of brup (killed at %i) is killed at any line, and the next one ends it',
  async (at) => {
    const scene = await openScene()
    const { lab, faulty } = scene
    const problems: string[] = []
    let line = 1
    for (; ; line += 1) {
      await faulty.run(['brup'], { kind: 'signal', signal: 'KILL', at })
      const { exit } = await faulty.run(['brdown'], { kind: 'signal', signal: 'KILL', at: line })
      const hit = faulty.hit()
      const { silent } = await reachableSoon(lab)
      const next = await lab.run('host', [bin('brdown')])
      const wrong = next.exit === 0 ? [] : [`exit ${next.exit}: ${next.stderr}`]
      const lived = hit === '' || exit === 137 ? [] : [`not killed: exit ${exit}`]
      const found = [...lived, ...silent, ...wrong, ...(await leftIn(scene))]
      problems.push(...found.map((each) => `recovery killed at ${line} (${hit}): ${each}`))
      if (hit === '') break
    }
    await lab.close()
    expect(problems).toEqual([])
    expect(line).toBeGreaterThan(5)
  },
  600_000,
)
