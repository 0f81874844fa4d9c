import { expect, test } from 'vitest'

import { endForGood, leased } from '../helpers/dhcp-host.ts'
import { dhcpClient, dhcpServer } from '../helpers/managers.ts'
import { expectEnding } from '../helpers/refused.ts'
import { inLab, ok, run, until } from '../helpers/tap.ts'
import { processesLike } from '../helpers/watchdog.ts'
import type { Lab } from '../lab/lab.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'

/** `brup --dhcp`: the bridge asks for an address, also where the uplink did not. */

const pattern = '/*dhclient *'
const clients = (lab: Lab): Promise<readonly number[]> => processesLike(lab, pattern)

async function withoutAddress(work: (lab: Lab) => Promise<void>): Promise<void> {
  await inLab(
    async (lab) => {
      await lab.ip('host', ['link set eth0 up'])
      await until('the link-local address is no longer tentative', async () => {
        const text = await lab.ok('host', ['ip', '-6', 'addr', 'show', 'dev', 'eth0', '-tentative'])
        return text.includes('scope link')
      })
      await work(lab)
    },
    { bare: true },
  )
}

const defaults = (lab: Lab): Promise<string> => lab.ok('host', ['ip', 'route', 'show', 'default'])

test('an uplink without an address: the bridge has one when brup ends, and nothing is left after brdown', async () => {
  await withoutAddress(async (lab) => {
    await dhcpServer(lab)
    const before = await snapshot(lab)
    expect(await ok(lab, 'brup --uplink eth0 --dhcp')).toBe('br0 is up, with the uplink eth0\n')
    expect(await leased(lab, 'br0')).toHaveLength(1)
    expect(await leased(lab, 'eth0')).toEqual([])
    await until('it has its default route', async () => (await defaults(lab)).includes('192.168.1.1 dev br0'))
    expect(await run(lab, 'brup --uplink eth0 --dhcp')).toMatchObject({ exit: 0, stderr: '' })
    expect(await ok(lab, 'brstatus')).not.toContain('drift')
    expect(await clients(lab)).toHaveLength(1)
    await ok(lab, 'brdown')
    expect(await clients(lab)).toEqual([])
    expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
  })
})

test('a client that died is begun again by the next brup, also where the lease is over', async () => {
  await withoutAddress(async (lab) => {
    await dhcpServer(lab)
    const before = await snapshot(lab)
    await ok(lab, 'brup --uplink eth0 --dhcp')
    await endForGood(lab, pattern)
    await lab.ip('host', ['addr flush dev br0 scope global'])
    expect(await ok(lab, 'brstatus')).toContain('drift: missing: dhclient of br0')
    expect((await run(lab, 'brup')).stderr).toContain('repaired: missing: dhclient of br0')
    await until('it has an address', async () => (await leased(lab, 'br0')).length === 1)
    await ok(lab, 'brdown')
    expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
  })
})

test('without a server it says so, and goes on asking', async () => {
  await withoutAddress(async (lab) => {
    const text = await run(lab, 'brup --uplink eth0 --dhcp')
    expect(text).toEqual({
      exit: 0,
      stdout: 'br0 is up, with the uplink eth0\n',
      stderr: 'brup: no DHCP server has answered on br0 yet; its client goes on asking\n',
    })
    await dhcpServer(lab)
    await until('it has an address', async () => (await leased(lab, 'br0')).length === 1, 60)
    await ok(lab, 'brdown')
    expect(await leased(lab, 'eth0')).toEqual([])
  })
})

test('where the uplink has a client, that one goes along, and back', async () => {
  await withoutAddress(async (lab) => {
    await dhcpServer(lab)
    await dhcpClient(lab, ['dhclient', '-4', '-pf', '/run/dhclient.pid', 'eth0'])
    await until('it has a lease', async () => (await defaults(lab)).includes('eth0'))
    const before = await snapshot(lab)
    await ok(lab, 'brup --dhcp')
    expect(await processesLike(lab, '/*dhclient * br0 *')).toHaveLength(1)
    await ok(lab, 'brdown')
    expect(await processesLike(lab, '/*dhclient * eth0 *')).toHaveLength(1)
    expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
  })
})

test('is refused where the uplink has an address without a client, or the bridge is up without one', async () => {
  await inLab(async (lab) => {
    await expectEnding(lab, 'brup --dhcp', {
      says: 'brup: eth0 has the address 192.168.1.50, and no DHCP client that could go along (give no --dhcp, or take the address off first)',
    })
    await ok(lab, 'brup')
    await expectEnding(lab, 'brup --dhcp', { says: 'brup: br0 is up without DHCP (run brdown br0 first)' })
  })
})

test.each([
  ['--no-uplink --dhcp', '--no-uplink and --dhcp exclude each other'],
  [
    '--dhcp --address 192.168.1.5/24',
    'br0 is to ask for its IPv4 address and to have one (give --dhcp or --address)',
  ],
])('brup %s is wrong usage', async (line, says) => {
  await inLab(async (lab) => {
    const text = await run(lab, `brup ${line}`)
    expect(text.exit).toBe(2)
    expect(text.stderr).toContain(says)
  })
})
