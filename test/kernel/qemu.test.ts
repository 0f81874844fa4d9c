import { readFileSync } from 'node:fs'

import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'

import { bin, portsOf, startLanGuest, targetsOf } from '../../dev/demo/guests.ts'
import type { Guest } from '../lab/guest.ts'
import { openLab, type Lab, type LabOptions } from '../lab/lab.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'

const users = process.getuid?.() === 0 ? [false, true] : [true]
const size = 10 * 1024 * 1024

/** The pid by which a process goes inside of the lab. */
const pidInLab = ({ pid }: Guest): string =>
  /^NSpid:.*\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 'gone'

/** Who starts first is not whose tap comes first. */
const sortedPorts = async (lab: Lab): Promise<readonly string[]> => [...(await portsOf(lab, 'br0'))].sort()

const tapsOf = (lab: Lab): Promise<string> => lab.ok('host', ['ip', '-o', 'link', 'show', 'type', 'tun'])

async function openForTest(options: LabOptions = {}): Promise<Lab> {
  const lab = await openLab(options)
  onTestFinished(() => lab.close())
  return lab
}

describe.each(users)('two guests between a brup and a brdown (as a user: %s)', (asUser) => {
  let lab: Lab
  let before: string
  let first: Guest
  let second: Guest

  beforeAll(async () => {
    lab = await openLab({ asUser })
    before = await snapshot(lab)
    await lab.ok('host', [bin('brup')])
    first = await startLanGuest(lab, 61)
    second = await startLanGuest(lab, 62)
    await Promise.all([first.ready(), second.ready()])
  })
  afterAll(() => lab.close())

  test('both taps are ports of the bridge', async () => {
    expect(await sortedPorts(lab)).toEqual(['eth0', 'tap61', 'tap62'])
  })

  test('each guest reaches the outside host, its host and the other guest', async () => {
    for (const [guest, other] of [
      [first, 62],
      [second, 61],
    ] as const)
      for (const target of targetsOf(other).flatMap(([, addresses]) => addresses))
        expect([target, (await guest.run(`ping -c1 -W3 ${target}`)).exit]).toEqual([target, 0])
  })

  test.each([61, 62])('guest %i is reached from outside and from its host', async (number) => {
    for (const node of ['outside', 'host'] as const)
      for (const address of [`192.168.1.${number}`, `fd01::${number}`]) {
        const ping = await lab.run(node, ['ping', '-c1', '-W3', address])
        expect([node, address, ping.exit]).toEqual([node, address, 0])
      }
  })

  test('10 MB over TCP (IPv4) from a guest arrive whole', async () => {
    const made = `dd if=/dev/urandom of=/www/big bs=1M count=10 2>/dev/null; sha256sum </www/big`
    const sent = (await first.run(made)).output
    const fetch = `busybox wget -qO '${lab.dir}/big' http://192.168.1.61/big`
    const got = await lab.ok('outside', [
      'sh',
      '-ec',
      `${fetch}; cd '${lab.dir}'; wc -c <big; sha256sum <big`,
    ])
    expect(sent).toMatch(/^[0-9a-f]{64} /)
    expect(got.trim()).toBe(`${size}\n${sent.trim()}`)
  })

  test('10 MB over TCP (IPv6) to a guest arrive whole', async () => {
    const made = `cd '${lab.dir}'; mkdir www; dd if=/dev/urandom of=www/big bs=1M count=10; sha256sum <www/big`
    const sent = await lab.ok('outside', ['sh', '-ec', made])
    // It listens when this comes back, and goes on in the background.
    await lab.ok('outside', ['busybox', 'httpd', '-p', '[::]:8080', '-h', `${lab.dir}/www`])
    const fetch = 'wget -qO /tmp/big http://[fd99::9]:8080/big'
    const got = await second.run(`${fetch} && wc -c </tmp/big && sha256sum </tmp/big`)
    expect(sent).toMatch(/^[0-9a-f]{64} /)
    expect(got.output.trim()).toBe(`${size}\n${sent.trim()}`)
  })

  test('brdown refuses while they run, and names who holds each tap', async () => {
    const raised = await snapshot(lab)
    const { exit, stderr } = await lab.run('host', [bin('brdown')])
    expect(exit).toBe(3)
    const [head, ...guests] = stderr.trimEnd().split('\n')
    expect(head).toBe('brdown: br0 still has guests (end them, or take their taps away with --force)')
    expect(guests.sort()).toEqual([
      `  tap61: held by pid ${pidInLab(first)} (qemu-system-x86)`,
      `  tap62: held by pid ${pidInLab(second)} (qemu-system-x86)`,
    ])
    expect(diffSnapshots(raised, await snapshot(lab))).toEqual([])
  })

  test('brstatus shows them, with who holds each tap', async () => {
    const status = (await lab.ok('host', [bin('brstatus')])).split('\n')
    expect(status.filter((line) => line.startsWith('  port ')).sort()).toEqual([
      '  port eth0 (uplink)',
      `  port tap61 (tap), pid ${pidInLab(first)} qemu-system-x86`,
      `  port tap62 (tap), pid ${pidInLab(second)} qemu-system-x86`,
    ])
  })

  test('after quit on the monitor the tap has left the bridge', async () => {
    expect(await first.quit()).toEqual({ exit: 0, signal: undefined })
    expect(first.stderr()).toBe('')
    expect(await portsOf(lab, 'br0')).toEqual(['eth0', 'tap62'])
  })

  test('after SIGKILL of QEMU nothing is left behind', async () => {
    second.kill('SIGKILL')
    expect((await second.exited).signal).toBe('SIGKILL')
    expect(await portsOf(lab, 'br0')).toEqual(['eth0'])
    expect(await tapsOf(lab)).toBe('')
  })

  test('brdown gives the host its network back exactly', async () => {
    expect(diffSnapshots(before, await snapshot(lab)).length).toBeGreaterThan(10)
    expect(await lab.run('host', [bin('brdown')])).toMatchObject({ exit: 0, stderr: '' })
    expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
  })
})

test("a failing hook stops the guest with the hook's own message, and nothing stays", async () => {
  const lab = await openForTest()
  const before = await snapshot(lab)
  const guest = await startLanGuest(lab, 61)
  await expect(guest.ready()).rejects.toThrow('qemu-ifup: tap61: bridge br0 does not exist (run brup first)')
  expect((await guest.exited).exit).toBe(1)
  expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
})

test('brdown --force takes the taps of running guests away, and the host is as before', async () => {
  const lab = await openForTest()
  const before = await snapshot(lab)
  await lab.ok('host', [bin('brup')])
  const guest = await startLanGuest(lab, 61)
  await guest.ready()
  const { exit, stderr } = await lab.run('host', [bin('brdown'), '--force'])
  expect(exit).toBe(0)
  expect(stderr).toContain(`taken off br0: tap61: held by pid ${pidInLab(guest)} (qemu-system-x86)\n`)
  expect(await portsOf(lab, 'br0').catch(() => 'no bridge')).toBe('no bridge')
  expect(await guest.quit()).toEqual({ exit: 0, signal: undefined })
  expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
})
