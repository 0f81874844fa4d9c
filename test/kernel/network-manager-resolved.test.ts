import { describe, expect, test } from 'vitest'

import { activeOn, inManagedLab, profiles, usual, uuid } from '../helpers/network-manager.ts'
import { nmcli } from '../helpers/managers.ts'
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

test('name servers that a profile has been given since then are those of the uplink afterwards', async () => {
  const managed = { profile: profiles['static addresses'], leases, dns: 'systemd-resolved' } as const
  await inManagedLab(managed, async ({ lab }) => {
    await resolvedOnBus(lab)
    await until('it is told', async () => (await toldOf(lab, 'eth0')).includes('192.168.1.2'))
    await ok(lab, 'brup')
    await nmcli(lab, `connection modify ${uuid} ipv4.dns 192.168.1.1`)
    await ok(lab, 'brdown')
    expect(await toldOf(lab, 'eth0')).toMatch(/^dns: 192\.168\.1\.1 fd01::1$/m)
    expect(await isFound(lab)).toBe(true)
  })
}, 60_000)
