import { describe, expect, test } from 'vitest'

import { startWith } from '../helpers/at-switch.ts'
import { driftOf, inRaisedLab, lowered, shell } from '../helpers/laden.ts'
import { reachableSoon } from '../helpers/soon.ts'
import { inLab, ok, run, until } from '../helpers/tap.ts'
import { watchdogs } from '../helpers/watchdog.ts'
import type { Lab } from '../lab/lab.ts'

/** A change of a bridge that had drifted, ended at the switch: by a signal it takes itself back, by SIGKILL its watchdog does. */

const exits = { INT: 130, KILL: 137 } as const

async function endAtSwitch(lab: Lab, command: 'brup' | 'brdown', signal: keyof typeof exits): Promise<void> {
  const script = `read -r _ _ _ parent _ </proc/$PPID/stat; kill -s ${signal} "$parent"`
  const running = await startWith(lab, `${command} --quiet`, { script })
  const { exit } = await running.exited
  await running.closed
  expect([exit, running.stderr()]).toEqual([exits[signal], expect.stringMatching(/put back|Killed|^$/)])
  await until('no watchdog', async () => (await watchdogs(lab)).length === 0)
}

const drifts = {
  'IPv4 addresses that are gone': 'ip -4 addr flush dev br0',
  'an alias of somebody else': 'ip link set br0 alias mine',
  'a bridge that is down': 'ip link set br0 down',
}

describe.each(['INT', 'KILL'] as const)('SIG%s', (signal) => {
  test.each(Object.entries(drifts))('%s: brdown goes back to a bridge that is whole', async (_, line) => {
    await inRaisedLab(async (lab, before) => {
      await shell(lab, line)
      expect(await driftOf(lab)).not.toEqual([])
      await endAtSwitch(lab, 'brdown', signal)
      expect(await driftOf(lab)).toEqual([])
      expect((await reachableSoon(lab)).silent).toEqual([])
      expect(await lowered(lab, before)).toEqual([])
    })
  })

  test.each(['brup', 'brdown'] as const)('an uplink that was plugged in again: %s', async (command) => {
    await inLab(async (lab) => {
      await ok(lab, 'brup')
      await shell(lab, 'ip link del eth0; ip link add eth0 address 02:00:00:00:01:50 type veth peer name e9')
      await shell(lab, 'ip link set e9 up')
      if (command === 'brdown') await shell(lab, 'ip link set eth0 master br0')
      await endAtSwitch(lab, command, signal)
      expect(await run(lab, 'brup')).toMatchObject({
        exit: 0,
        stdout: expect.stringMatching(/^br0 is up /) as string,
      })
      expect(await driftOf(lab)).toEqual([])
      expect(await ok(lab, 'brdown')).toBe('br0 is down; eth0 is as it was before\n')
    })
  })

  test('a bridge that was made anew on the way is still ours when it has lost its alias', async () => {
    await inRaisedLab(async (lab, before) => {
      await endAtSwitch(lab, 'brdown', signal)
      await shell(lab, 'ip link set br0 alias mine')
      expect(await ok(lab, 'brup')).toBe('br0 is up again, with the uplink eth0\n')
      expect(await lowered(lab, before)).toEqual([])
    })
  })
})
