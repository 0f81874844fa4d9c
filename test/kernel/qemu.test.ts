import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { bin, startLanGuest, targetsOf } from '../../dev/demo/guests.ts'
import type { Guest } from '../lab/guest.ts'
import { openLab, type Lab } from '../lab/lab.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'

const megabytes = 10

const portsOf = async (lab: Lab): Promise<readonly string[]> => {
  const links = JSON.parse(await lab.ok('host', ['ip', '-j', 'link', 'show', 'master', 'br0'])) as {
    ifname: string
  }[]
  return links.map(({ ifname }) => ifname)
}

describe('two guests between a brup and a brdown', () => {
  let lab: Lab
  let before: string
  let first: Guest
  let second: Guest

  beforeAll(async () => {
    lab = await openLab()
    before = await snapshot(lab)
    await lab.ok('host', [bin('brup')])
    first = await startLanGuest(lab, 61)
    second = await startLanGuest(lab, 62)
    await Promise.all([first.ready(), second.ready()])
  })
  afterAll(() => lab.close())

  test('both taps are ports of the bridge', async () => {
    expect(await portsOf(lab)).toEqual(['eth0', 'tap61', 'tap62'])
  })

  test('each guest reaches the outside host, its host and the other guest', async () => {
    for (const [guest, other] of [
      [first, 62],
      [second, 61],
    ] as const)
      for (const [, target] of targetsOf(other))
        expect([target, (await guest.run(`ping -c1 -W3 ${target}`)).exit]).toEqual([target, 0])
  })

  test.each([61, 62])('guest %i is reached from outside and from its host', async (number) => {
    for (const node of ['outside', 'host'] as const)
      for (const address of [`192.168.1.${number}`, `fd01::${number}`]) {
        const ping = await lab.run(node, ['ping', '-c1', '-W3', address])
        expect([node, address, ping.exit]).toEqual([node, address, 0])
      }
  })

  test(`${megabytes} MB over TCP arrive whole`, async () => {
    await first.run(`dd if=/dev/urandom of=/www/big bs=1M count=${megabytes}`)
    const sent = (await first.run('sha256sum /www/big')).output.split(' ')[0]
    const fetch = 'busybox wget -qO- http://192.168.1.61/big'
    const got = await lab.ok('outside', ['sh', '-c', `${fetch} | sha256sum`])
    const size = await lab.ok('outside', ['sh', '-c', `${fetch} | wc -c`])
    expect(Number(size)).toBe(megabytes * 1024 * 1024)
    expect(sent).toMatch(/^[0-9a-f]{64}$/)
    expect(got.split(' ')[0]).toBe(sent)
  })

  test('brdown refuses while they run, and names who holds each tap', async () => {
    const { exit, stderr } = await lab.run('host', [bin('brdown')])
    expect(exit).toBe(3)
    expect(stderr).toMatch(/tap61: held by pid \d+ \(qemu-system-x86\)/)
    expect(stderr).toMatch(/tap62: held by pid \d+ \(qemu-system-x86\)/)
    expect(await portsOf(lab)).toEqual(['eth0', 'tap61', 'tap62'])
  })

  test('brstatus shows them', async () => {
    const status = await lab.ok('host', [bin('brstatus')])
    expect(status).toMatch(/port eth0 \(uplink\)/)
    expect(status).toMatch(/port tap61 \(tap\), pid \d+ qemu-system-x86/)
  })

  test('after quit on the monitor the tap has left the bridge', async () => {
    expect(await first.quit()).toEqual({ exit: 0, signal: undefined })
    expect(await portsOf(lab)).toEqual(['eth0', 'tap62'])
  })

  test('after SIGKILL of QEMU nothing is left behind', async () => {
    second.kill('SIGKILL')
    expect((await second.exited).signal).toBe('SIGKILL')
    expect(await portsOf(lab)).toEqual(['eth0'])
    expect(await lab.ok('host', ['ip', '-o', 'link', 'show', 'type', 'tun'])).toBe('')
  })

  test('brdown gives the host its network back exactly', async () => {
    expect((await lab.run('host', [bin('brdown')])).exit).toBe(0)
    expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
  })
})

test("a failing hook stops the guest with the hook's own message", async () => {
  const lab = await openLab()
  const guest = await startLanGuest(lab, 61)
  await expect(guest.ready()).rejects.toThrow('qemu-ifup: tap61: bridge br0 does not exist (run brup first)')
  expect((await guest.exited).exit).toBe(1)
  await lab.close()
})

test('brdown --force takes the taps of running guests away, and the host is as before', async () => {
  const lab = await openLab()
  const before = await snapshot(lab)
  await lab.ok('host', [bin('brup')])
  const guest = await startLanGuest(lab, 61)
  await guest.ready()
  const { exit, stderr } = await lab.run('host', [bin('brdown'), '--force'])
  expect(exit).toBe(0)
  expect(stderr).toMatch(/taken off br0: tap61: held by pid \d+ \(qemu-system-x86\)/)
  expect(await guest.quit()).toEqual({ exit: 0, signal: undefined })
  expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
  await lab.close()
})
