import { describe, expect, test } from 'vitest'

import { startWith } from '../helpers/at-switch.ts'
import { bin, inLab, type Bin } from '../helpers/tap.ts'
import type { Lab } from '../lab/lab.ts'
import { reachable } from '../lab/reachable.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'

/** A run directory of its own, a small file system that fills up or can no longer be written. */

const env = { QEMU_TAP_HOOKS_RUN_DIR: '/run/own' }
// A mount lives as long as the command that made it: `ip netns exec` gives each one of its own.
const mount = 'mkdir -p /run/own; mount -t tmpfs -o size=1m lab /run/own'

const ends = {
  'is full': 'cat /dev/zero >/run/own/filler',
  'is read-only': 'mount -o remount,ro /run/own',
} as const

const commands = ['brup', 'brdown'] as const

/** What comes before the command, on the same file system. */
const prepared = { brup: ':', brdown: bin('brup') } as const

/** Runs brup alone or, for brdown, nothing: the state that the command has to leave as it is. */
async function stateBefore(lab: Lab, command: Bin): Promise<string> {
  if (command === 'brup') return snapshot(lab)
  await lab.ok('host', [bin('brup')])
  const raised = await snapshot(lab)
  await lab.ok('host', [bin('brdown')])
  return raised
}

const withoutId = (text: string): string => text.replaceAll(/(?<=qemu-tap-hooks )[0-9a-f]+/g, 'ID')

describe.each(commands)('%s, on a run directory that', (command) => {
  test.each(Object.entries(ends))(
    '%s from the beginning, changes nothing and ends with 3',
    async (_, end) => {
      await inLab(async (lab) => {
        const before = await stateBefore(lab, command)
        const line = `${mount}; ${prepared[command]}; ${end} 2>/dev/null || :; exec ${bin(command)}`
        const { exit, stderr } = await lab.run('host', ['sh', '-ec', line], { env })
        expect([exit, stderr]).toEqual([3, expect.stringMatching(/^br\w+: cannot .*\/run\/own.* \(.+\)\n$/)])
        expect(diffSnapshots(withoutId(before), withoutId(await snapshot(lab)))).toEqual([])
        expect(await reachable(lab)).toEqual([])
      })
    },
  )

  test.each(Object.entries(ends))('%s from the switch on, takes everything back', async (_, end) => {
    await inLab(async (lab) => {
      const before = await stateBefore(lab, command)
      const first = `${mount}; ${prepared[command]}`
      const running = await startWith(lab, command, { script: end, first, options: { env } })
      const { exit } = await running.exited
      const left = diffSnapshots(withoutId(before), withoutId(await snapshot(lab)))
      expect(left, running.stderr()).toEqual([])
      expect([exit, running.stderr()]).toEqual([1, expect.stringContaining('; everything was put back')])
      expect(await reachable(lab)).toEqual([])
    })
  })
})
