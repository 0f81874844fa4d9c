import { describe, expect, test } from 'vitest'

import { breakCall, brokenCall } from '../helpers/broken-calls.ts'
import { bin, faultyIp, shot, type Fault } from '../helpers/faults.ts'
import { nmcli } from '../helpers/managers.ts'
import { inManagedLab, profiles, resolver } from '../helpers/network-manager.ts'
import { run, until } from '../helpers/tap.ts'
import { processesLike, watchdogs } from '../helpers/watchdog.ts'
import type { Lab } from '../lab/lab.ts'
import { diffSnapshots } from '../lab/snapshot.ts'

/** Whatever goes wrong, NetworkManager has the uplink as before: its profile is active there, or it leaves it alone. */

const { 'static addresses': staticOne, 'a lease': leased } = profiles

async function sight(lab: Lab): Promise<string> {
  const link = await nmcli(lab, '-g GENERAL.STATE,GENERAL.CON-UUID,GENERAL.AUTOCONNECT device show eth0')
  const text = await lab.ok('host', ['sh', '-c', 'cat /run/NetworkManager/conf.d/* 2>/dev/null || :'])
  // The first name of a bridge is another one each time.
  const told = text.replaceAll(/qth[0-9a-f]+/g, 'qth')
  const clients = await processesLike(lab, '*udhcpc * br0 *')
  const names = await resolver(lab)
  return `${await shot(lab)}\nmanager:\n${link}${told}${names.join('\n')}\n${clients.length} clients\n`
}

/** NetworkManager takes its time with what it was told. */
async function differences(lab: Lab, before: string): Promise<readonly string[]> {
  const found = { now: diffSnapshots(before, await sight(lab)) }
  const deadline = Date.now() + 10_000
  while (found.now.length > 0 && Date.now() < deadline) found.now = diffSnapshots(before, await sight(lab))
  return found.now
}

const rounds = [
  { name: 'refused', exit: 1, faultAt: (at: number): Fault => ({ kind: 'refuse', at }) },
  { name: 'at which it is killed', exit: 137, faultAt: (at: number): Fault => ({ kind: 'watched', at }) },
] as const
const scenes = Object.entries({ 'static addresses': staticOne, 'a lease': leased }).flatMap(
  ([name, profile]) => (['brup', 'brdown'] as const).map((command) => ({ name, profile, command })),
)
const leaving = 'link set dev eth0 nomaster'
const again = /^(?:addr|route) add .*:.* dev eth0\b/
const least = 10
const most = 60

describe.each(scenes)('$command of a profile with $name', ({ profile, command }) => {
  test.each(rounds)(
    'puts everything back at any line $name',
    async ({ exit: wanted, faultAt }) => {
      await inManagedLab({ profile }, async ({ lab }) => {
        if (command === 'brdown') await lab.ok('host', [bin('brup')])
        const before = await sight(lab)
        const faulty = await faultyIp(lab)
        const problems: string[] = []
        const met: string[] = []
        for (let at = 1; at <= most; at += 1) {
          const { exit, stderr } = await faulty.run([command], faultAt(at))
          if (faulty.hit() === '') break
          met.push(faulty.hit())
          await until('the watchdog is done', async () => (await watchdogs(lab)).length === 0, 30)
          // What NetworkManager takes off is put there again until it stays.
          const isAgain = exit === 0 && met.includes(leaving) && again.test(faulty.hit())
          if (isAgain) await lab.ok('host', [bin('brup')])
          const left = await differences(lab, before)
          const ended = exit === wanted || isAgain ? [] : [`exit ${exit}: ${stderr}`]
          problems.push(...[...ended, ...left].slice(0, 6).map((each) => `${at} (${faulty.hit()}): ${each}`))
          if (left.length > 0) break
        }
        expect(problems).toEqual([])
        expect(met.length).toBeGreaterThan(least)
      })
    },
    300_000,
  )
})

describe.each(scenes.filter(({ name }) => name === 'static addresses'))(
  '$command',
  ({ profile, command }) => {
    const other = command === 'brup' ? 'brdown' : 'brup'

    test.each(['fail', 'kill'] as const)(
      'puts everything back, or ends well: %s at any call of nmcli',
      async (kind) => {
        await inManagedLab({ profile }, async ({ lab }) => {
          if (command === 'brdown') await lab.ok('host', [bin('brup')])
          const before = await sight(lab)
          const problems: string[] = []
          const met: string[] = []
          for (let at = 1; at <= most; at += 1) {
            await breakCall(lab, 'nmcli', { kind, at })
            const { exit, stderr } = await run(lab, command)
            const call = await brokenCall(lab, 'nmcli', { kind, at })
            await until('the watchdog is done', async () => (await watchdogs(lab)).length === 0, 30)
            if (call === undefined) break
            met.push(call)
            const allowed = kind === 'kill' ? [137] : [0, 1, 3]
            const ended = allowed.includes(exit) ? [] : [`exit ${exit}: ${stderr}`]
            await breakCall(lab, 'nmcli', undefined)
            // A question that is asked again.
            if (exit === 0) await lab.ok('host', [bin(other)])
            const left = await differences(lab, before)
            problems.push(...[...ended, ...left].slice(0, 6).map((each) => `${at} (${call}): ${each}`))
            if (left.length > 0) break
          }
          expect(problems).toEqual([])
          expect(
            met.filter((call) => /^(?:general reload|device set|--wait)/.test(call)).length,
          ).toBeGreaterThan(2)
        })
      },
      300_000,
    )
  },
)
