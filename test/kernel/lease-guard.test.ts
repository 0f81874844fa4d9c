import { describe, expect, test } from 'vitest'

import { blind } from '../helpers/blind.ts'
import { clients, endForGood, inLeasedLab, leased, type Scene } from '../helpers/dhcp-host.ts'
import { dhcpClient } from '../helpers/managers.ts'
import { ok, run, until } from '../helpers/tap.ts'
import { processesLike } from '../helpers/watchdog.ts'
import type { Lab } from '../lab/lab.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'

/** What keeps the uplink from asking for a lease is as much part of the host as everything else that brup adds. */

const { words, pattern } = clients.dhclient
const inGuardedLab = (work: (scene: Scene) => Promise<void>): Promise<void> =>
  inLeasedLab(words, { time: '1h' }, work)

const tables = (lab: Lab): Promise<string> => lab.ok('host', ['nft', 'list', 'tables'])
const both = 'table bridge qemu-tap-hooks-br0\ntable netdev qemu-tap-hooks-br0\n'
const missing = 'missing: what keeps eth0 from asking for a lease'

describe.each(['bridge', 'netdev'])('without its table of the family %s', (family) => {
  const half = ['nft', 'delete', 'table', family, 'qemu-tap-hooks-br0']

  test('it is drift, and mended', async () => {
    await inGuardedLab(async ({ lab }) => {
      await ok(lab, 'brup')
      expect(await tables(lab)).toBe(both)
      await lab.ok('host', half)
      expect(await ok(lab, 'brstatus')).toContain(`drift: ${missing}`)
      expect((await run(lab, 'brup')).stderr).toContain(`repaired: ${missing}`)
      expect(await tables(lab)).toBe(both)
      expect(await ok(lab, 'brstatus')).not.toContain('drift')
      await ok(lab, 'brdown')
      expect(await tables(lab)).toBe('')
    })
  })

  test('brdown takes the rest away, also from an uplink that has left the bridge', async () => {
    await inGuardedLab(async ({ lab }) => {
      const before = await snapshot(lab)
      await ok(lab, 'brup')
      await lab.ok('host', half)
      await lab.ip('host', ['link set eth0 nomaster'])
      await ok(lab, 'brdown')
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    })
  })
})

test('where the firewall cannot be read it goes all the same, and does not come', async () => {
  await inGuardedLab(async ({ lab }) => {
    await lab.ok('host', ['iptables-nft', '-A', 'FORWARD', '-j', 'ACCEPT'])
    const before = await snapshot(lab)
    await ok(lab, 'brup')
    expect(await tables(lab)).toContain(both)
    expect((await blind(lab, 'brdown')).exit).toBe(0)
    expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    await lab.ok('host', ['tee', '/run/warn.toml'], {
      input: '[[bridge]]\nname = "br0"\nfirewall = "warn"\n',
    })
    expect((await blind(lab, 'brup --config /run/warn.toml')).exit).toBe(0)
    expect(await tables(lab)).not.toContain('qemu-tap-hooks')
    await ok(lab, 'brdown')
    expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
  })
})

test('an uplink that is plugged in anew may ask', async () => {
  await inGuardedLab(async ({ lab, server }) => {
    await ok(lab, 'brup')
    await lab.ip('host', ['link del eth0'])
    await lab.ip('host', ['link add eth0 type veth peer name far', 'link set far up', 'link set eth0 up'])
    await lab.ok('host', ['nft', '-f', '-'], { input: probe })
    const ask = ['busybox', 'udhcpc', '-f', '-q', '-n', '-t', '1', '-T', '1', '-i', 'eth0', '-s', '/bin/true']
    expect((await lab.run('host', ask)).stderr).not.toContain('No buffer space')
    const seen = await lab.ok('host', ['nft', 'list', 'table', 'netdev', 'probe'])
    expect(Number(/packets (\d+)/.exec(seen)?.[1])).toBeGreaterThan(0)
    server.kill('SIGKILL')
  })
})

/** What comes through the cable. */
const probe = `table netdev probe {
  chain ingress {
    type filter hook ingress device "far" priority 0
    udp sport 68 udp dport 67 counter
  }
}
`

test('a client that begins on the uplink again, whatever became of the one on the bridge, has its lease', async () => {
  await inGuardedLab(async ({ lab, server }) => {
    const [address = ''] = await leased(lab, 'eth0')
    const before = await snapshot(lab)
    await ok(lab, 'brup')
    server.kill('SIGKILL')
    await endForGood(lab, pattern)
    await lab.ip('host', ['link set eth0 nomaster'])
    await ok(lab, 'brdown')
    expect(await leased(lab, 'eth0')).toEqual([address])
    const file = '/var/lib/dhcp/dhclient.eth0.leases'
    expect(await lab.ok('host', ['cat', file])).not.toContain('expire 6 2000')
    expect((await processesLike(lab, pattern)).length).toBeGreaterThan(0)
    expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
  })
})

test('a repair leaves the client on the bridge the lease that it had', async () => {
  await inGuardedLab(async ({ lab, server }) => {
    const [address = ''] = await leased(lab, 'eth0')
    await ok(lab, 'brup')
    const [file = ''] = (
      await lab.ok('host', ['find', '/var/lib/qemu-tap-hooks', '-name', '*.leases'])
    ).split('\n')
    await until('the one on the bridge has its lease', async () =>
      (await lab.ok('host', ['cat', file])).includes(`fixed-address ${address};`),
    )
    server.kill('SIGKILL')
    await endForGood(lab, pattern)
    await dhcpClient(lab, words)
    await until('there is one on the uplink', async () => (await processesLike(lab, pattern)).length > 0)
    expect((await run(lab, 'brup')).stderr).toContain('repaired: missing: dhclient of br0')
    expect(await leased(lab, 'br0')).toEqual([address])
    const leases = await lab.ok('host', ['cat', file])
    expect(leases).toContain(`fixed-address ${address};`)
    expect(leases).not.toContain('expire 6 2000')
  })
})
