import { describe, expect, test } from 'vitest'

import { diffSnapshots, snapshot } from '../lab/snapshot.ts'
import { tool } from '../lab/tools.ts'
import { dhcpClient, dhcpServer, networkd, networkManager, nmcli } from '../helpers/managers.ts'
import { expectEnding } from '../helpers/refused.ts'
import { bin, inLab, linkOf, ok, run, until } from '../helpers/tap.ts'

/** Who else would put addresses back on the uplink: the real programs, each in a lab. */

const manages = (name: string, release: string): RegExp =>
  new RegExp(
    `^brup: ${name} \\(pid \\d+\\) manages eth0 and would put its addresses back there \\(${release}\\)\\n$`,
  )

const stop = (client: string): string => `stop ${client} \\(pid \\d+\\) without releasing the lease`

// A lease renews for ever; none of these scripts touches an address.
const dhclient = [
  'dhclient',
  '-d',
  '-sf',
  '/bin/true',
  '-lf',
  '/run/dhclient.leases',
  '-pf',
  '/run/dhclient.pid',
]
const udhcpc = ['udhcpc', '-f', '-s', '/bin/true']
const bound = { dhclient: /bound to/, udhcpc: /lease of .* obtained/ }

describe('a DHCP client that holds a lease for the uplink', () => {
  const lines: readonly (readonly [string, readonly string[]])[] = [
    ['udhcpc', [...udhcpc, '-i', 'eth0']],
    ['udhcpc', [...udhcpc, '-ieth0']],
    ['udhcpc', [...udhcpc, '--interface=eth0']],
    ['udhcpc', udhcpc],
    ['udhcpc', [...udhcpc, '-x', 'hostname:guest', '-F', 'myhost']],
    ['dhclient', [...dhclient, 'eth0']],
    ['dhclient', dhclient],
  ]
  test.each(lines.map(([client, words]) => ({ client, words, line: words.join(' ') })))(
    '$line',
    async ({ client, words }) => {
      await inLab(async (lab) => {
        await dhcpServer(lab)
        await dhcpClient(lab, words, bound[client as keyof typeof bound])
        await expectEnding(lab, 'brup', { says: manages(client, stop(client)) })
      })
    },
  )

  test('dhcpcd', async () => {
    await inLab(async (lab) => {
      await dhcpServer(lab)
      await lab.ok('host', ['mkdir', '-p', '/run/dhcpcd'])
      // No address of its own making (-L): it may come at any moment, and would look like something that brup did.
      const words = ['dhcpcd', '-B', '-4', '-L', '-c', '/bin/true', '-h', 'myhost', 'eth0']
      await dhcpClient(lab, words, /adding default route/)
      const before = await snapshot(lab)
      const says = manages('dhcpcd', stop('dhcpcd'))
      const { exit, stderr } = await lab.run('host', [bin('brup')])
      expect({ exit, stderr }).toEqual({ exit: 3, stderr: expect.stringMatching(says) as string })
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    })
  })
})

test('a client of another link, or in another namespace, does not matter', async () => {
  await inLab(
    async (lab) => {
      await dhcpClient(lab, [...udhcpc, '-i', 'eth1'])
      await dhcpClient(lab, [...dhclient, 'eth1'])
      await lab.start('router', [tool('busybox'), 'udhcpc', '-f', '-s', '/bin/true', '-i', 'e0'])
      await ok(lab, 'brup')
      expect((await linkOf(lab, 'eth0'))?.master).toBe('br0')
    },
    { secondUplink: { metric: 2000 } },
  )
})

test('a client of another user, whose namespace may not be looked at, matters', async () => {
  await inLab(async (lab) => {
    await dhcpServer(lab)
    await dhcpClient(lab, [...udhcpc, '-i', 'eth0'], bound.udhcpc)
    const user = ['--reuid=65534', '--regid=65534', '--clear-groups']
    const through = [tool('setpriv'), ...user, '--inh-caps=+net_admin', '--ambient-caps=+net_admin']
    await lab.ok('host', ['install', '-d', '-o', '65534', '/run/own'])
    const options = { env: { QEMU_TAP_HOOKS_RUN_DIR: '/run/own' } }
    await expectEnding(lab, 'brup', { says: manages('udhcpc', stop('udhcpc')), through, options })
  })
})

describe('systemd-networkd', () => {
  const eth0 = '[Match]\nName=eth0\n[Network]\n'
  const release = 'give eth0 a .network file with Unmanaged=yes under \\[Link\\]'

  const managed = {
    'a lease': `${eth0}DHCP=ipv4\n`,
    'a static address': `${eth0}Address=192.168.1.50/24\nAddress=fd01::50/64\nIPv6AcceptRA=no\n`,
  }
  test.each(Object.entries(managed))('manages eth0: %s', async (_, text) => {
    await inLab(async (lab) => {
      await dhcpServer(lab)
      await networkd(lab, { '10-eth0.network': text })
      await until('networkd is done', async () => {
        const links = await lab.ok('host', ['sh', '-c', 'cat /run/systemd/netif/links/*'])
        return /^ADMIN_STATE=(configured|failed)$/m.test(links)
      })
      await expectEnding(lab, 'brup', { says: manages('systemd-networkd', release) })
    })
  })

  const unmanaged = {
    'has no file for eth0': '[Match]\nName=eth7\n[Network]\nDHCP=yes\n',
    'is told to leave eth0 alone': '[Match]\nName=eth0\n[Link]\nUnmanaged=yes\n',
  }
  test.each(Object.entries(unmanaged))('%s', async (_, text) => {
    await inLab(async (lab) => {
      await networkd(lab, { '10-eth0.network': text })
      const before = await snapshot(lab)
      await ok(lab, 'brup')
      await ok(lab, 'brdown')
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    })
  })
})

describe('NetworkManager', () => {
  const says = manages('NetworkManager', 'nmcli device set eth0 managed no, with static addresses')

  test('manages eth0', async () => {
    await inLab(async (lab) => {
      await networkManager(lab)
      await expectEnding(lab, 'brup', { says })
    })
  })

  test('lets go of eth0 with the command that the message names', async () => {
    await inLab(async (lab) => {
      await networkManager(lab)
      await nmcli(lab, 'device set eth0 managed no')
      const before = await snapshot(lab)
      await ok(lab, 'brup')
      await ok(lab, 'brdown')
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    })
  })

  test('leaves eth0 alone by its configuration', async () => {
    await inLab(async (lab) => {
      await networkManager(lab, '[keyfile]\nunmanaged-devices=*\n')
      // One that has just started may not have come to eth0 yet.
      await until('brup is not refused any more', async () => (await run(lab, 'brup')).exit === 0)
      expect((await linkOf(lab, 'eth0'))?.master).toBe('br0')
    })
  })
})
