import { describe, expect, test } from 'vitest'

import { firewalld } from '../helpers/managers.ts'
import { inLab, ok } from '../helpers/tap.ts'
import { startVethGuest } from '../helpers/veth-guest.ts'
import type { Lab } from '../lab/lab.ts'
import { reachable } from '../lab/reachable.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'

/** A real firewalld: the bridge stands where its uplink stood, or where guests have their way. */

const zones = async (lab: Lab): Promise<string> =>
  (await lab.ok('host', ['firewall-cmd', '--get-active-zones'])).replaceAll(/\s+/g, ' ').trim()

const nat =
  'brup br20 --nat --address 192.168.20.1/24 --address fd20::1/64 --dhcp-range 192.168.20.50,192.168.20.59'

const listen = `use IO::Socket::IP; my @l = map { IO::Socket::IP->new(LocalPort => $_, Listen => 5) or die } 22, 23; print "up\n"; STDOUT->flush; sleep 60`
const knock = `use IO::Socket::IP; for (22, 23) { print "$_\n" if IO::Socket::IP->new(PeerHost => '192.168.1.50', PeerPort => $_, Timeout => 1) }`

/** Those of the host that answer from outside. */
async function ports(lab: Lab): Promise<string> {
  const server = await lab.start('host', ['perl', '-e', listen])
  await server.waitFor(/up/)
  const { stdout } = await lab.run('outside', ['perl', '-e', knock])
  server.kill('SIGKILL')
  await server.exited
  return stdout
}

/** Chains that firewalld makes for a zone when it is first used, and keeps. */
const withoutTrusted = (text: string): string =>
  text
    .split('\n')
    .filter((line) => !/^\s*$|trusted|_POLICIES_(?:pre|post)$|^firewall: *\}?$/u.test(line))
    .join('\n')

describe('firewalld', () => {
  test.each([
    ['home', 'home interfaces: eth0', 'home interfaces: br0 eth0'],
    [undefined, '', 'public interfaces: br0'],
  ])(
    'lets guests on the LAN through, and guards the host as before (zone %s)',
    async (zone, before, raised) => {
      await inLab(async (lab) => {
        await firewalld(lab, zone)
        const start = await snapshot(lab)
        expect(await zones(lab)).toBe(before)
        expect(await ports(lab)).toBe('22\n')
        await ok(lab, 'brup')
        expect((await zones(lab)).split(' ').sort()).toEqual(raised.split(' ').sort())
        const guest = await startVethGuest(lab, {
          name: 'g1',
          bridge: 'br0',
          addresses: ['192.168.1.77/24', 'fd01::77/64'],
        })
        for (const target of ['203.0.113.9', 'fd99::9']) expect(await guest.reaches(target)).toBe(true)
        expect(await ports(lab)).toBe('22\n')
        expect(await reachable(lab)).toEqual([])
        expect(await ok(lab, 'brstatus')).not.toContain('firewall')
        await guest.end()
        await ok(lab, 'brdown')
        expect(await zones(lab)).toBe(before)
        expect(diffSnapshots(start, await snapshot(lab))).toEqual([])
      })
    },
  )

  test('lets guests of a bridge with NAT through', async () => {
    await inLab(async (lab) => {
      await firewalld(lab, 'public')
      const start = await snapshot(lab)
      await ok(lab, nat)
      expect(await zones(lab)).toContain('trusted interfaces: br20')
      const guest = await startVethGuest(lab, {
        name: 'g1',
        bridge: 'br20',
        addresses: ['192.168.20.7/24', 'fd20::7/64'],
      })
      for (const target of ['203.0.113.9', 'fd99::9']) expect(await guest.reaches(target)).toBe(true)
      expect((await guest.run('busybox nslookup -type=a localhost 192.168.20.1')).stdout).toContain(
        'NXDOMAIN',
      )
      await guest.end()
      await ok(lab, 'brdown br20')
      expect(await zones(lab)).toBe('public interfaces: eth0')
      const left = diffSnapshots(withoutTrusted(start), withoutTrusted(await snapshot(lab)))
      expect(left.filter((line) => !/^firewall: \+ +(?:\}|accept)?$/u.test(line))).toEqual([])
      expect(await lab.ok('host', ['nft', 'list', 'ruleset'])).not.toContain('br20')
    })
  })

  test('that lost the bridge is mended', async () => {
    await inLab(async (lab) => {
      await firewalld(lab, 'home')
      await ok(lab, 'brup')
      await lab.ok('host', ['firewall-cmd', '--zone=home', '--remove-interface=br0'])
      const line = 'different: firewalld zone of br0 is none, should be home'
      expect(await ok(lab, 'brstatus')).toContain(`  drift: ${line}\n`)
      expect(await ok(lab, 'brup')).toBe('br0 is up again, with the uplink eth0\n')
      expect(await ok(lab, 'brstatus')).not.toContain('drift')
      await ok(lab, 'brdown')
      expect(await zones(lab)).toBe('home interfaces: eth0')
    })
  })
})
