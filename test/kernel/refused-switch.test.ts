import { expect, test } from 'vitest'

import { bin, faultyIp, shot } from '../helpers/faults.ts'
import { reachableSoon } from '../helpers/soon.ts'
import { inLab, ok } from '../helpers/tap.ts'
import { reachable } from '../lab/reachable.ts'
import { diffSnapshots } from '../lab/snapshot.ts'

/** eth0 has left br0, and from here on `ip` refuses everything, also what would put eth0 back. */
const bridgeDeletion = 11

test('a rollback whose switch is refused takes nothing from the side that is in use', async () => {
  await inLab(async (lab) => {
    const before = await shot(lab)
    await ok(lab, 'brup')
    const faulty = await faultyIp(lab)
    const { exit, stderr } = await faulty.run(['brdown'], { kind: 'refuse-all', at: bridgeDeletion })
    expect(faulty.hit()).toBe('link del dev br0')
    expect([exit, stderr]).toEqual([
      4,
      expect.stringMatching(/rollback is incomplete.*link eth0 master is none, should be br0/s),
    ])
    expect((await reachableSoon(lab)).silent).toEqual([])
    expect((await lab.run('host', [bin('brdown')])).exit).toBe(0)
    expect(diffSnapshots(before, await shot(lab))).toEqual([])
    expect(await reachable(lab)).toEqual([])
  })
})
