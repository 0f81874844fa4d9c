import { describe, expect, test } from 'vitest'

import { diffSnapshots, snapshot } from '../lab/snapshot.ts'
import { tool } from '../lab/tools.ts'
import { dhcpClient, dhcpServer, installNmcli, networkManager, nmcli } from '../helpers/managers.ts'
import { expectEnding } from '../helpers/refused.ts'
import { inLab, linkOf, ok, run, until } from '../helpers/tap.ts'

/** Who else would put addresses back on the uplink: the real programs, each in a lab. */

const manages = (name: string, release: string): RegExp =>
  new RegExp(
    `^brup: ${name} \\(pid \\d+\\) manages eth0 and would put its addresses back there \\(${release}\\)\\n$`,
  )

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
    await expectEnding(lab, 'brup', {
      says: manages(
        'udhcpc',
        'it cannot be looked into: begin one for eth0 alone, or stop it without releasing the lease',
      ),
      through,
      options,
    })
  })
})

describe('NetworkManager', () => {
  test('cannot be told to let go of eth0', async () => {
    await inLab(async (lab) => {
      await networkManager(lab)
      const says =
        'brup: NetworkManager manages eth0, and nmcli, which could tell it to let go, is not installed (install nmcli)'
      await expectEnding(lab, 'brup', { says })
    })
  })

  test('has let go of eth0 with nmcli', async () => {
    await inLab(async (lab) => {
      await installNmcli(lab)
      await networkManager(lab)
      await nmcli(lab, 'device set eth0 managed no')
      const before = await snapshot(lab)
      await ok(lab, 'brup')
      await ok(lab, 'brdown')
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    })
  })

  test('has no profile on eth0, only found what is there', async () => {
    await inLab(async (lab) => {
      await installNmcli(lab)
      await networkManager(lab)
      const says =
        'brup: NetworkManager manages eth0, and has no profile of its own on it ' +
        '(nmcli device set eth0 managed no, with static addresses)'
      await expectEnding(lab, 'brup', { says })
    })
  })

  test('leaves eth0 alone by its configuration', async () => {
    await inLab(async (lab) => {
      await installNmcli(lab)
      await networkManager(lab, '[keyfile]\nunmanaged-devices=*\n')
      // One that has just started may not have come to eth0 yet.
      await until('brup is not refused any more', async () => (await run(lab, 'brup')).exit === 0)
      expect((await linkOf(lab, 'eth0'))?.master).toBe('br0')
    })
  })
})
