import { describe, expect, test } from 'vitest'

import { activeOn, inManagedLab, profiles, usual, uuid } from '../helpers/network-manager.ts'
import { countLookups, isFound, resolvedOnBus, toldOf } from '../helpers/resolved.ts'
import { ok, until } from '../helpers/tap.ts'

/** NetworkManager tells systemd-resolved of its name servers, as on most desktops: they go along to the bridge, and back. */

/** One server alone, which answers: nobody waits for the other one. */
const leases = { ...usual, options: ['option:dns-server,192.168.1.1'] }

describe.each(Object.entries(profiles))('a profile with %s', (_, profile) => {
  test('keeps its name servers on the bridge, whatever happens, and has them back', async () => {
    await inManagedLab(
      { profile: profile.replace('192.168.1.2;', ''), leases, dns: 'systemd-resolved' },
      async ({ lab, restart }) => {
        await resolvedOnBus(lab)
        await until('it is told', () => isFound(lab))
        const before = await toldOf(lab, 'eth0')
        const untold = async (dev: string): Promise<boolean> => (await toldOf(lab, dev)).startsWith('none\n')
        const { asked, found, refused, said } = await countLookups(lab, async () => {
          await ok(lab, 'brup')
          expect(await untold('eth0')).toBe(true)
          expect(await ok(lab, 'brstatus')).not.toContain('drift')
          await restart()
          expect(await untold('eth0')).toBe(true)
          expect(await ok(lab, 'brstatus')).not.toContain('drift')
          await ok(lab, 'brdown')
          expect(await activeOn(lab, 'eth0')).toBe(uuid)
        })
        expect(asked).toBeGreaterThan(50)
        expect([found, said]).toEqual([asked, said])
        // In the very millisecond in which the uplink leaves the bridge.
        expect([refused <= 1, said]).toEqual([true, said])
        expect(await toldOf(lab, 'eth0')).toBe(before)
        expect(await isFound(lab)).toBe(true)
      },
    )
  }, 90_000)
})
