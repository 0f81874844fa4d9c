import { expect, test } from 'vitest'

import { bin, faultyIp, shot } from '../helpers/faults.ts'
import { inLab } from '../helpers/tap.ts'
import { reachable } from '../lab/reachable.ts'
import { withoutDad } from '../lab/settle.ts'
import { diffSnapshots } from '../lab/snapshot.ts'

/** eth1's route is out of its slot for a moment, so that br0's, eth0's and eth1's stand in that order. */
const backIntoSlot = 6

test('a route of another link that was out of its slot when ip died comes back', async () => {
  await inLab(
    async (lab) => {
      await lab.ip('host', 'route prepend 192.168.2.0/24 dev eth0')
      await lab.ok('host', [bin('brup')])
      const raised = await shot(lab)
      const faulty = await faultyIp(lab)
      const { exit } = await faulty.run(['brdown'], { kind: 'die', at: backIntoSlot })
      expect(faulty.hit()).toMatch(/^route append unicast 192\.168\.2\.0\/24 .* dev eth1$/)
      expect(exit).toBe(1)
      expect(diffSnapshots(raised, await shot(lab))).toEqual([])
      expect(await reachable(lab)).toEqual([])
    },
    { secondUplink: { metric: 200 } },
  )
})

/** The peer's own is gone by then. */
const afterPeerRoute = 25

test('the route to the peer of an address with a lifetime has none', async () => {
  await inLab(async (lab) => {
    await withoutDad(lab, ['eth0'], () =>
      lab.ip('host', 'addr add fd07::1 peer fd07::3/64 dev eth0 valid_lft 6000 preferred_lft 0'),
    )
    const before = await shot(lab)
    const faulty = await faultyIp(lab)
    const { exit } = await faulty.run(['brup'], { kind: 'refuse', at: afterPeerRoute })
    expect(faulty.hit()).toMatch(/^route del unicast fd07::\/64 .* dev eth0$/)
    expect(exit).toBe(1)
    expect(diffSnapshots(before, await shot(lab))).toEqual([])
  })
})
