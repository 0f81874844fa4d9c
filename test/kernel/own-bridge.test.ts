import { describe, expect, test } from 'vitest'

import { expectEnding } from '../helpers/refused.ts'
import { bin, holdTap, inLab, linkOf, ok, run } from '../helpers/tap.ts'
import type { Lab } from '../lab/lab.ts'
import { reachable } from '../lab/reachable.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'

/** `brup --no-uplink`: a network of the guests' own, with the host in it and nothing else moved. */

const raise = 'brup br10 --no-uplink --address 192.168.30.1/24 --address fd30::1/64'

const addressesOf = async (lab: Lab): Promise<readonly string[]> => {
  const lines = await lab.ok('host', ['ip', '-o', 'addr', 'show', 'dev', 'br10', 'scope', 'global'])
  return lines.split('\n').flatMap((line) => /inet6? (\S+)/.exec(line)?.[1] ?? [])
}

describe('a bridge without an uplink', () => {
  test('comes and goes beside the host’s own network', async () => {
    await inLab(async (lab) => {
      const before = await snapshot(lab)
      expect(await ok(lab, raise)).toBe('br10 is up, without an uplink\n')
      expect(await addressesOf(lab)).toEqual(['192.168.30.1/24', 'fd30::1/64'])
      expect(await ok(lab, raise)).toBe('br10 is up already, without an uplink\n')
      expect(await ok(lab, 'brup br10')).toBe('br10 is up already, without an uplink\n')
      expect((await linkOf(lab, 'eth0'))?.master).toBeUndefined()
      expect(await reachable(lab)).toEqual([])
      expect(JSON.parse(await ok(lab, 'brstatus br10 --json'))).toMatchObject({
        drift: [],
        madeByBrup: true,
        journal: { uplink: null },
      })
      expect(await ok(lab, 'brdown br10')).toBe('br10 is down\n')
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    })
  })

  test('has working addresses as soon as the first guest is there', async () => {
    await inLab(async (lab) => {
      await ok(lab, raise)
      await lab.ok('host', ['ln', '-s', bin('qemu-ifup'), '/run/qemu-ifup.br10'])
      await holdTap(lab, 'tap0')
      await lab.ok('host', ['/run/qemu-ifup.br10', 'tap0'])
      const shown = await lab.ok('host', ['ip', '-o', 'addr', 'show', 'dev', 'br10', 'scope', 'global'])
      expect(shown).not.toMatch(/tentative|dadfailed/)
      const routes = await lab.ok('host', ['ip', 'route', 'get', '192.168.30.9'])
      expect(routes).toContain('dev br10 src 192.168.30.1')
      expect((await run(lab, 'brdown br10')).exit).toBe(3)
      expect(await ok(lab, 'brdown br10 --force')).toBe('br10 is down\n')
    })
  })

  test('stands beside br0, and each goes alone', async () => {
    await inLab(async (lab) => {
      const before = await snapshot(lab)
      await ok(lab, raise)
      expect(await ok(lab, 'brup')).toBe('br0 is up, with the uplink eth0\n')
      expect(await reachable(lab)).toEqual([])
      await ok(lab, 'brdown br10')
      expect((await linkOf(lab, 'br0'))?.ifname).toBe('br0')
      await ok(lab, raise)
      await ok(lab, 'brdown')
      expect(await addressesOf(lab)).toEqual(['192.168.30.1/24', 'fd30::1/64'])
      await ok(lab, 'brdown br10')
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    })
  })

  test('that drifted is mended', async () => {
    await inLab(async (lab) => {
      const before = await snapshot(lab)
      await ok(lab, raise)
      await lab.ok('host', ['sh', '-c', 'ip addr del 192.168.30.1/24 dev br10; ip link set br10 mtu 1400'])
      expect(await ok(lab, 'brup br10')).toBe('br10 is up again, without an uplink\n')
      expect(await addressesOf(lab)).toEqual(['192.168.30.1/24', 'fd30::1/64'])
      await lab.ip('host', 'link del br10')
      expect(await ok(lab, 'brup br10')).toBe('br10 is up again, without an uplink\n')
      await lab.ip('host', 'link del br10')
      expect(await ok(lab, 'brdown br10')).toBe('br10 is down\n')
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    })
  })
})

describe('is refused', () => {
  test.each([
    ['192.168.1.77/25', /overlaps 192\.168\.1\.50\/24, an address of eth0/],
    ['192.168.0.1/16', /overlaps 192\.168\.1\.50\/24, an address of eth0/],
    ['10.7.9.1/24', /overlaps the route unicast 10\.7\.0\.0\/16 /],
    ['fd01:0:0:0:1::1/80', /overlaps fd01::50\/64, an address of eth0/],
  ])('%s, which is in use', async (address, says) => {
    await inLab(async (lab) => {
      await lab.ip('host', 'route add 10.7.0.0/16 via 192.168.1.1 dev eth0')
      await expectEnding(lab, `brup br10 --no-uplink --address ${address}`, { says })
    })
  })

  test('another wish for a bridge that is up', async () => {
    await inLab(async (lab) => {
      await ok(lab, raise)
      await expectEnding(lab, 'brup br10 --uplink eth0', {
        says: /br10 is up without an uplink, not with the uplink eth0 \(run brdown br10 first\)/,
      })
      await expectEnding(lab, 'brup br10 --no-uplink --address 192.168.31.1/24', {
        says: /br10 is up with other addresses/,
      })
    })
  })

  test.each(['--uplink eth0', '--gateway 192.168.30.9', '--check-gateway 3'])(
    '--no-uplink with %s',
    async (other) => {
      await inLab(async (lab) => {
        await expectEnding(lab, `brup br10 --no-uplink ${other}`, {
          exit: 2,
          kind: 'usage',
          says: /--no-uplink and --\S+ exclude each other/,
        })
      })
    },
  )
})
