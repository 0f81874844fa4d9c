import { describe, expect, test } from 'vitest'

import { inMountsOf } from '../helpers/mounts.ts'
import { inResolvconfLab, nameServers, recordsOf } from '../helpers/resolvconf.ts'
import { ok, run, until } from '../helpers/tap.ts'
import type { Lab } from '../lab/lab.ts'

/** What resolvconf has of the uplink stays, and what it gets of the bridge goes with the bridge. */

const tell = (lab: Lab, name: string): Promise<string> =>
  lab.ok('host', ['resolvconf', '-a', name], { input: 'nameserver 192.0.2.9\n' })

describe.each(['openresolv', 'resolvconf'])('%s', (kind) => {
  test('has the name servers of the uplink all the time, and none of the bridge afterwards', async () => {
    await inResolvconfLab(kind, async (lab) => {
      const before = await recordsOf(lab)
      const servers = await nameServers(lab)
      const [record = ''] = Object.keys(before)
      expect(Object.keys(before)).toEqual([kind === 'openresolv' ? 'eth0' : 'eth0.dhclient'])
      expect(servers).toBe('nameserver 192.168.1.1\nnameserver 192.168.1.2\n')
      await ok(lab, 'brup')
      const own = record.replace('eth0', 'br0')
      await until('the client on the bridge has told of its own', async () => own in (await recordsOf(lab)))
      expect((await recordsOf(lab))[record]).toBe(before[record])
      expect(await nameServers(lab)).toBe(servers)
      expect(await ok(lab, 'brstatus')).not.toContain('drift')
      expect(await ok(lab, 'brdown --dry-run')).toContain(`\nresolvconf -d ${own}\n`)
      await ok(lab, 'brdown')
      expect(Object.keys(await recordsOf(lab))).toEqual([record])
      expect(await nameServers(lab)).toBe(servers)
    })
  })

  test('keeps what it has of another link whose name begins like that of the bridge', async () => {
    await inResolvconfLab(kind, async (lab) => {
      await lab.ip('host', ['link add br0.7 type veth peer name other'])
      await tell(lab, 'br0.7.dhcp')
      await ok(lab, 'brup')
      await tell(lab, 'br0.dhcp')
      await tell(lab, 'br0.7.other')
      await ok(lab, 'brdown')
      expect(Object.keys(await recordsOf(lab)).filter((name) => name.startsWith('br0'))).toEqual([
        'br0.7.dhcp',
        'br0.7.other',
      ])
    })
  })

  test('has them again where brdown fails', async () => {
    await inResolvconfLab(kind, async (lab) => {
      await ok(lab, 'brup')
      for (const name of ['br0.dhcp', 'br0.stuck']) await tell(lab, name)
      const before = (await recordsOf(lab))['br0.dhcp']
      // Nobody can remove what something is mounted on.
      const file = `/run/resolvconf/${kind === 'openresolv' ? 'interfaces' : 'interface'}/br0.stuck`
      await inMountsOf(lab, `mount --bind ${file} ${file}`)
      const { exit, stderr } = await run(lab, 'brdown')
      expect([exit, stderr]).toEqual([1, expect.stringContaining('too much: resolvconf record br0.stuck')])
      expect((await recordsOf(lab))['br0.dhcp']).toBe(before)
      await inMountsOf(lab, `umount ${file}`)
      await ok(lab, 'brdown')
      expect(Object.keys(await recordsOf(lab)).filter((name) => name.startsWith('br0'))).toEqual([])
    })
  })
})
