import { describe, expect, test } from 'vitest'

import { acknowledged, leased } from '../helpers/dhcp-host.ts'
import { networkd, networkdAlone } from '../helpers/managers.ts'
import { eth0, files, inManagedLab, isConfigured, says, units, type Scene } from '../helpers/networkd-host.ts'
import { bin } from '../helpers/faults.ts'
import { expectEnding } from '../helpers/refused.ts'
import { holdTap, inLab, linkOf, ok, run, until } from '../helpers/tap.ts'
import type { Lab } from '../lab/lab.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'

/** systemd-networkd goes with the host to the bridge, and back. */

/** From the outside, one ping. */
const answers = async (lab: Lab, address: string): Promise<boolean> =>
  (await lab.run('router', ['ping', '-c1', '-W1', address])).exit === 0

/** By which the server knows it, if it has a lease. */
const clientId = async (lab: Lab, dev: string): Promise<string> => {
  const file = `/run/systemd/netif/leases/$(ip -o link show ${dev} | cut -d: -f1)`
  return lab.ok('host', ['sh', '-c', `grep '^CLIENTID=' ${file} || :`])
}

describe.each(Object.entries(files))('%s', (name, text) => {
  const isLeased = name === 'a lease'

  async function renews({ server }: Scene, address: string): Promise<void> {
    if (!isLeased) return
    const then = acknowledged(server, address)
    await until('the lease is renewed', () => Promise.resolve(acknowledged(server, address) > then), 30)
  }

  /** On the bridge, and nowhere else. */
  async function isOnBridge({ lab }: Scene, address: string): Promise<void> {
    expect(await leased(lab, 'br0')).toEqual([address])
    expect(await leased(lab, 'eth0')).toEqual([])
    expect(await says(lab, 'eth0')).toMatch(/^ADMIN_STATE=unmanaged$/m)
    expect(await answers(lab, address)).toBe(true)
    expect(await lab.ok('host', ['ip', 'route', 'show', 'default'])).toMatch(/via 192.168.1.1 dev br0 /)
  }

  test('networkd manages the bridge in place of the uplink, and the uplink again afterwards', async () => {
    await inManagedLab(text, async (scene) => {
      const { lab, server } = scene
      const [address = ''] = await leased(lab, 'eth0')
      const before = await snapshot(lab)
      const id = await clientId(lab, 'eth0')
      await lab.ok('host', ['sh', '-c', `umask 077 && ${bin('brup')}`])
      await isOnBridge(scene, address)
      expect(await clientId(lab, 'br0')).toBe(id)
      expect(await isConfigured(lab, 'br0')).toBe(true)
      expect(await units(lab)).toEqual([
        '0-qemu-tap-hooks-br0:br0.network',
        '0-qemu-tap-hooks-br0:eth0.network',
      ])
      const readers = await lab.ok('host', ['sh', '-c', 'stat -c "%a %G" /run/systemd/network/0-*'])
      expect(readers).toBe('640 systemd-network\n640 systemd-network\n')
      await renews(scene, address)
      await isOnBridge(scene, address)
      expect(await ok(lab, 'brstatus')).not.toContain('drift')
      await ok(lab, 'brdown')
      expect(await units(lab)).toEqual([])
      expect(await isConfigured(lab, 'eth0')).toBe(true)
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
      await renews(scene, address)
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
      expect(server.stdout()).not.toContain('DHCPRELEASE')
    })
  }, 120_000)

  test('a bridge that was deleted is made anew, and networkd manages it again', async () => {
    await inManagedLab(text, async (scene) => {
      const { lab } = scene
      const before = await snapshot(lab)
      const [address = ''] = await leased(lab, 'eth0')
      await ok(lab, 'brup')
      await lab.ip('host', 'link del br0')
      await ok(lab, 'brup')
      await isOnBridge(scene, address)
      expect(await isConfigured(lab, 'br0')).toBe(true)
      await renews(scene, address)
      expect(await ok(lab, 'brstatus')).not.toContain('drift')
      await ok(lab, 'brdown')
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    })
  }, 120_000)

  test('what its file says since then it puts on the uplink afterwards, and brdown says so', async () => {
    await inManagedLab(text, async ({ lab }) => {
      const [address = ''] = await leased(lab, 'eth0')
      await ok(lab, 'brup')
      const file = '/run/systemd/network/10-eth0.network'
      await lab.ok('host', ['tee', '-a', file], {
        input: '[Network]\nAddress=192.168.1.99/24\nAddress=fd01::99/64\n',
      })
      const { exit, stderr } = await run(lab, 'brdown')
      const besides = (what: string): unknown =>
        expect.stringContaining(`brdown: eth0 has besides, by its own manager: address ${what} dev eth0\n`)
      expect([exit, stderr]).toEqual([0, besides('192.168.1.99/24')])
      expect(stderr).toEqual(besides('fd01::99/64'))
      expect(await leased(lab, 'eth0')).toEqual([address, '192.168.1.99'])
      expect(await isConfigured(lab, 'eth0')).toBe(true)
    })
  }, 60_000)

  test('what else is on the link stays', async () => {
    await inManagedLab(text, async ({ lab }) => {
      await lab.ip('host', [
        'addr add 192.168.7.1/24 dev eth0',
        'route add 192.168.8.0/24 via 192.168.7.9 dev eth0',
      ])
      const before = await snapshot(lab)
      const wayBy = (): Promise<string> => lab.ok('host', ['ip', 'route', 'show', '192.168.8.0/24'])
      await ok(lab, 'brup')
      expect(await leased(lab, 'br0')).toContain('192.168.7.1')
      expect(await wayBy()).toContain('dev br0')
      await ok(lab, 'brdown')
      expect(await leased(lab, 'eth0')).toContain('192.168.7.1')
      expect(await wayBy()).toContain('dev eth0')
      // A lease is for ever then, until networkd reads its files again.
      if (!isLeased) expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    })
  })

  const events: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
    'its own reload': async ({ lab }) => {
      await lab.ok('host', ['networkctl', 'reload'])
    },
    'a new beginning of the bridge': async ({ lab }) => {
      await lab.ok('host', ['networkctl', 'reconfigure', 'br0'])
    },
    'its own restart': async ({ lab, daemon }) => {
      daemon.kill('SIGTERM')
      await daemon.exited
      await networkdAlone(lab)
    },
    'the loss of carrier': async ({ lab }) => {
      await lab.ip('router', ['link set e0 down'])
      await until('networkd has seen it', async () => /OPER_STATE=no-carrier/.test(await says(lab, 'br0')))
      await lab.ip('router', ['link set e0 up', 'addr replace fd01::1/64 dev e0 nodad'])
    },
    'a guest that comes and goes': async ({ lab }) => {
      const tap = await holdTap(lab, 'tap0')
      await ok(lab, 'qemu-ifup tap0')
      await ok(lab, 'qemu-ifdown tap0')
      await lab.ok('host', ['kill', String(tap.pid)])
      await tap.running.exited
    },
  }

  test.each(Object.entries(events))(
    'it survives %s',
    async (_, happen) => {
      await inManagedLab(text, async (scene) => {
        const { lab } = scene
        const [address = ''] = await leased(lab, 'eth0')
        const before = await snapshot(lab)
        await ok(lab, 'brup')
        await happen(scene)
        await until('the bridge has its address again', async () => {
          const found = await leased(lab, 'br0')
          return found.length > 0 && (await isConfigured(lab, 'br0')) && (await answers(lab, address))
        })
        await renews(scene, address)
        await isOnBridge(scene, address)
        expect(await ok(lab, 'brstatus')).not.toContain('drift')
        await ok(lab, 'brdown')
        expect(await isConfigured(lab, 'eth0')).toBe(true)
        await renews(scene, address)
        expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
      })
    },
    120_000,
  )
})

test('a unit that somebody took away is drift, and put back by the next brup', async () => {
  await inManagedLab(files['static addresses'], async ({ lab }) => {
    await ok(lab, 'brup')
    const then = await units(lab)
    const [unit = ''] = then
    await lab.ok('host', ['rm', `/run/systemd/network/${unit}`])
    const drift = `missing: /run/systemd/network/${unit}`
    expect(await ok(lab, 'brstatus')).toContain(`drift: ${drift}`)
    expect((await run(lab, 'brup')).stderr).toContain(`repaired: ${drift}`)
    expect(await units(lab)).toEqual(then)
    expect(await ok(lab, 'brstatus')).not.toContain('drift')
    await ok(lab, 'brdown')
    expect(await units(lab)).toEqual([])
  })
})

test('networkd that took the uplink again keeps it, and brdown tidies up', async () => {
  await inManagedLab(files['static addresses'], async ({ lab }) => {
    const before = await snapshot(lab)
    await ok(lab, 'brup')
    await lab.ok('host', ['sh', '-c', 'rm /run/systemd/network/0-*:eth0.network; networkctl reload'])
    await until('its addresses are there', async () => (await leased(lab, 'eth0')).length > 0)
    const drift = 'drift: too much: eth0 is managed by systemd-networkd'
    await until('it is seen', async () => (await ok(lab, 'brstatus')).includes(drift))
    await ok(lab, 'brdown')
    expect(await units(lab)).toEqual([])
    expect(await answers(lab, '192.168.1.50')).toBe(true)
    expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
  })
})

test.each(Object.entries(files))(
  'where the user tells another address than %s, networkd leaves the bridge alone',
  async (_, text) => {
    await inManagedLab(text, async ({ lab }) => {
      const before = await snapshot(lab)
      await ok(lab, 'brup --address 192.168.1.77/24 --gateway 192.168.1.1')
      expect(await leased(lab, 'br0')).toEqual(['192.168.1.77'])
      expect(await says(lab, 'br0')).toMatch(/^ADMIN_STATE=unmanaged$/m)
      expect(await ok(lab, 'brstatus')).toContain('which leaves eth0 and br0 alone, by files under')
      await ok(lab, 'brdown')
      expect(await isConfigured(lab, 'eth0')).toBe(true)
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    })
  },
)

describe('networkd that cannot be taken along is in the way', () => {
  const wayOut = 'or give eth0 a .network file with Unmanaged=yes under [Link]'
  const sentence = (reason: string, how: string): string =>
    `brup: systemd-networkd manages eth0 and cannot be taken along: ${reason} (${how}, ${wayOut})`
  const own = 'give it one of its own'
  const fits = '/run/systemd/network/10-eth0.network fits br0 or its taps, too'
  const byName = 'match links by name there'
  const reasons = {
    'a VLAN': [`${eth0}VLAN=eth0.7\n`, 'its .network file has VLAN=', own],
    'what is only for a port': [`${eth0}[BridgeVLAN]\nVLAN=7\n`, 'its .network file has [BridgeVLAN]', own],
    'a match for all links': ['[Match]\nName=*\n', fits, byName],
    'a match for what is Ethernet': ['[Match]\nType=ether\n', fits, byName],
    'a match for its MAC address': ['[Match]\nMACAddress=02:00:00:00:01:50\n', fits, byName],
  } as const
  test.each(Object.entries(reasons))('%s', async (_, [text, reason, how]) => {
    await inLab(async (lab) => {
      await networkd(lab, { '10-eth0.network': text })
      await expectEnding(lab, 'brup', { says: sentence(reason, how) })
    })
  })

  test('a file for all other links', async () => {
    await inLab(async (lab) => {
      await networkd(lab, {
        '10-eth0.network': `${eth0}Address=192.168.1.50/24\n`,
        '30-all.network': '[Match]\nName=!eth* lo\n',
      })
      const reason = fits.replace('10-eth0', '30-all')
      await expectEnding(lab, 'brup', { says: sentence(reason, byName) })
    })
  })

  test('no bus', async () => {
    await inLab(async (lab) => {
      await networkdAlone(lab, { '10-eth0.network': `${eth0}Address=192.168.1.50/24\n` })
      const says = sentence('it cannot be reached by D-Bus', 'start dbus')
      await expectEnding(lab, 'brup', { says })
    })
  })
})

describe('networkd that does not manage the uplink', () => {
  const unmanaged = {
    'has no file for eth0': '[Match]\nName=eth7\n[Network]\nDHCP=yes\n',
    'is told to leave eth0 alone': '[Match]\nName=eth0\n[Link]\nUnmanaged=yes\n',
  }
  test.each(Object.entries(unmanaged))('%s', async (_, text) => {
    await inLab(async (lab) => {
      await networkd(lab, { '10-eth0.network': text })
      const before = await snapshot(lab)
      await ok(lab, 'brup')
      expect((await linkOf(lab, 'eth0'))?.master).toBe('br0')
      await ok(lab, 'brdown')
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    })
  })
})
