import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'

import { acknowledged, leased } from '../helpers/dhcp-host.ts'
import { inManagedLab, activeOn, profiles, resolver, uuid, type Managed } from '../helpers/network-manager.ts'
import { dhcpServer, nmcli } from '../helpers/managers.ts'
import { holdTap, linkOf, ok, run, until } from '../helpers/tap.ts'
import { processesLike } from '../helpers/watchdog.ts'
import type { Lab } from '../lab/lab.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'

/** NetworkManager lets the host go to the bridge, leaves it there, and has it back. */

describe.each(Object.entries(profiles))('a profile with %s', (name, profile) => {
  const isLeased = name !== 'static addresses'

  test('is active again on the uplink, where all is as it was', async () => {
    await inManagedLab({ profile }, async (managed) => {
      const { lab } = managed
      const before = await snapshot(lab)
      const servers = await resolver(lab)
      expect(servers).toContain('nameserver 192.168.1.2')
      await ok(lab, 'brup')
      expect(await nmcli(lab, '-g GENERAL.STATE device show eth0')).toContain('unmanaged')
      expect(await nmcli(lab, '-g GENERAL.STATE device show br0')).toContain('unmanaged')
      expect(await resolver(lab)).toEqual(servers)
      await ok(lab, 'brdown')
      expect(await activeOn(lab, 'eth0')).toBe(uuid)
      expect(await resolver(lab)).toEqual(servers)
      await isAsBefore(lab, before)
      expect(await lab.ok('host', ['ls', '/run/NetworkManager/conf.d'])).toBe('')
      if (isLeased) await renews(managed)
    })
  }, 60_000)

  test('is active again where NetworkManager was not there on the way back, as soon as it is', async () => {
    await inManagedLab({ profile }, async (managed) => {
      const { lab, end, restart } = managed
      const before = await snapshot(lab)
      await ok(lab, 'brup')
      await end()
      await ok(lab, 'brdown')
      await restart()
      await until('it has the uplink', async () => (await activeOn(lab, 'eth0')) === uuid)
      await isAsBefore(lab, before)
      if (isLeased) await renews(managed)
    })
  }, 60_000)

  test('and whatever happens meanwhile', async () => {
    await inManagedLab({ profile }, async (managed) => {
      const { lab, restart } = managed
      const before = await snapshot(lab)
      const servers = await resolver(lab)
      const [address = ''] = await leased(lab, 'eth0')
      await ok(lab, 'brup')
      const isWhole = async (): Promise<void> => {
        expect(await leased(lab, 'br0')).toEqual([address])
        expect(await leased(lab, 'eth0')).toEqual([])
        expect(await resolver(lab)).toEqual(servers)
        expect(await ok(lab, 'brstatus')).not.toContain('drift')
        await until('it answers', async () => {
          const pings = [address, 'fd01::50'].map((to) => ['ping', '-c1', '-W1', to])
          const asked = isLeased ? pings.slice(0, 1) : pings
          return (await Promise.all(asked.map((words) => lab.run('router', words)))).every(
            ({ exit }) => exit === 0,
          )
        })
      }
      if (isLeased) await renews(managed, { isOnBridge: true })
      await isWhole()
      await restart()
      await isWhole()
      const reapplied = await lab.run('host', ['nmcli', 'device', 'reapply', 'eth0'])
      expect(reapplied.exit).not.toBe(0)
      await nmcli(lab, 'general reload')
      await isWhole()
      const { running } = await holdTap(lab, 'tap0')
      await ok(lab, 'qemu-ifup tap0')
      await lab.ip('router', ['link set e0 down'])
      await until('the uplink has lost its carrier', async () => {
        const link = await linkOf(lab, 'eth0')
        return !(link?.flags.includes('LOWER_UP') ?? false)
      })
      await lab.ip('router', ['link set e0 up', 'addr add fd01::1/64 dev e0 nodad'])
      if (isLeased) await renews(managed, { isOnBridge: true })
      await isWhole()
      running.stdin.end()
      await running.exited
      await ok(lab, 'brdown')
      expect(await activeOn(lab, 'eth0')).toBe(uuid)
      await isAsBefore(lab, before)
      if (isLeased) await renews(managed)
    })
  }, 90_000)
})

test('what its profile says since then is on the uplink afterwards, and brdown says so', async () => {
  await inManagedLab({ profile: profiles['static addresses'] }, async ({ lab }) => {
    await ok(lab, 'brup')
    await nmcli(lab, `connection modify ${uuid} +ipv4.addresses 192.168.1.99/24`)
    const { exit, stderr } = await run(lab, 'brdown')
    const besides = 'brdown: eth0 has besides, by its own manager: address 192.168.1.99/24 dev eth0\n'
    expect([exit, stderr]).toEqual([0, expect.stringContaining(besides)])
    expect(await leased(lab, 'eth0')).toEqual(['192.168.1.50', '192.168.1.99'])
    expect(await activeOn(lab, 'eth0')).toBe(uuid)
  })
}, 60_000)

test('another address that the server gives on the bridge it has on the uplink, too, by one default route', async () => {
  await inManagedLab({ profile: profiles['a lease'] }, async ({ lab, server }) => {
    await ok(lab, 'brup')
    server.kill('SIGKILL')
    await server.exited
    await dhcpServer(lab, { time: '2m', range: '192.168.1.200,192.168.1.210' })
    await lab.ok('host', ['kill', '-USR1', ...(await processesLike(lab, '*udhcpc * br0 *')).map(String)])
    const has = async (dev: string): Promise<boolean> =>
      /^192\.168\.1\.20\d$/.test((await leased(lab, dev)).join(' '))
    await until('the bridge has it', () => has('br0'), 30)
    const addresses = await leased(lab, 'br0')
    await ok(lab, 'brdown')
    expect(await activeOn(lab, 'eth0')).toBe(uuid)
    expect(await leased(lab, 'eth0')).toEqual(addresses)
    expect((await lab.ok('host', ['ip', 'route', 'show', 'default'])).match(/\n/g)).toHaveLength(1)
  })
}, 60_000)

test('while it does not answer nothing is given back to it, and the host stays on the bridge', async () => {
  await inManagedLab({ profile: profiles['static addresses'] }, async ({ lab }) => {
    const before = await snapshot(lab)
    await ok(lab, 'brup')
    const raised = await snapshot(lab)
    const [pid = 0] = await processesLike(lab, '*NetworkManager --debug *')
    await lab.ok('host', ['kill', '-STOP', String(pid)])
    const silence = 'unknown: NetworkManager does not say whether it manages eth0'
    expect(await ok(lab, 'brstatus')).toContain(`drift: ${silence}\n`)
    const { exit, stderr } = await run(lab, 'brdown')
    expect([exit, stderr]).toEqual([3, expect.stringContaining('brdown: NetworkManager does not answer')])
    expect(diffSnapshots(raised, await snapshot(lab))).toEqual([])
    await lab.ok('host', ['kill', '-CONT', String(pid)])
    await ok(lab, 'brdown')
    expect(await activeOn(lab, 'eth0')).toBe(uuid)
    await isAsBefore(lab, before)
  })
}, 120_000)

/** Where routers advertise slowly, what stands in for their routes goes half a minute later. */
async function isAsBefore(lab: Lab, before: string): Promise<void> {
  const deadline = Date.now() + 35_000
  for (;;) {
    const differences = diffSnapshots(before, await snapshot(lab))
    if (differences.length === 0) return
    if (Date.now() > deadline || differences.some((line) => !line.startsWith('route6: ')))
      expect(differences).toEqual([])
    await delay(200)
  }
}

/** NetworkManager does so when it is told to, and udhcpc after half of the lease's time, but for this signal. */
async function renews({ lab, server }: Managed, { isOnBridge = false } = {}): Promise<void> {
  const [address = ''] = await leased(lab, isOnBridge ? 'br0' : 'eth0')
  const before = acknowledged(server, address)
  const pids = isOnBridge ? await processesLike(lab, '*udhcpc * br0 *') : []
  if (isOnBridge) await lab.ok('host', ['kill', '-USR1', ...pids.map(String)])
  await until('the lease is renewed', () => Promise.resolve(acknowledged(server, address) > before), 30)
}
