import { expect, test } from 'vitest'

import { bin, faultyIp, shot } from '../helpers/faults.ts'
import { reachableSoon } from '../helpers/soon.ts'
import { inLab, linkOf, ok } from '../helpers/tap.ts'
import { reachable } from '../lab/reachable.ts'
import { diffSnapshots } from '../lab/snapshot.ts'

/** eth0 has left br0, and from here on `ip` refuses everything, also what would put eth0 back. */
const bridgeDeletion = 12

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

/** Where the two sides have exchanged a route, where the uplink has left, and where eth0 has nothing any more. */
const lines = [
  ['brup', 17, /^route add unicast ::\/0 .* dev br0$/],
  ['brup', 27, /^link set dev br0 alias /],
  ['brdown', 8, /^route add unicast ::\/0 .* dev eth0$/],
  ['brdown', bridgeDeletion, /^link del dev br0$/],
] as const

test.each(lines)(
  'a rollback of %s, stopped at line %i, whose routes are refused leaves the host where it has a way out',
  async (command, at, line) => {
    await inLab(async (lab) => {
      const before = await shot(lab)
      if (command === 'brdown') await ok(lab, 'brup')
      const faulty = await faultyIp(lab)
      const { exit, stderr } = await faulty.run([command], { kind: 'refuse-routes', at })
      expect(faulty.hit()).toMatch(line)
      expect([exit, stderr]).toEqual([4, expect.stringMatching(/rollback is incomplete.* route unicast /s)])
      expect((await linkOf(lab, 'eth0'))?.master).toBe('br0')
      expect((await reachableSoon(lab)).silent).toEqual([])
      expect((await lab.run('host', [bin('brdown')])).exit).toBe(0)
      expect(diffSnapshots(before, await shot(lab))).toEqual([])
    })
  },
)
