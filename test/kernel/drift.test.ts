import { describe, expect, test } from 'vitest'

import type { Lab } from '../lab/lab.ts'
import { reachable } from '../lab/reachable.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'
import { inLab, journals, linkOf, ok, run } from '../helpers/tap.ts'

/** What somebody does to a raised bridge by hand: brstatus tells, brup mends, and brdown works all the same. */

const shell = (lab: Lab, line: string): Promise<string> => lab.ok('host', ['sh', '-ec', line])

async function driftOf(lab: Lab): Promise<string[]> {
  const { drift } = JSON.parse(await ok(lab, 'brstatus --json')) as { drift: string[] }
  const told = (await ok(lab, 'brstatus')).split('\n').filter((line) => line.startsWith('  drift: '))
  expect(told).toEqual(drift.map((line) => `  drift: ${line}`))
  return drift
}

interface Drift {
  readonly what: string
  readonly line: string
  /** One of the lines that tell of it. */
  readonly told: string
  /** What brdown leaves beside what was there before. */
  readonly added?: RegExp
}

const drifts: readonly Drift[] = [
  {
    what: 'an address that is back on the uplink',
    line: 'ip addr add 192.168.1.50/24 dev eth0',
    told: 'too much: address 192.168.1.50/24 dev eth0',
  },
  {
    what: 'a new address on the uplink',
    line: 'ip addr add 10.1.1.1/24 dev eth0',
    told: 'too much: address 10.1.1.1/24 dev eth0',
    added: /10\.1\.1\./,
  },
  {
    what: 'an address that went',
    line: 'ip addr del 192.168.1.50/24 dev br0',
    told: 'missing: address 192.168.1.50/24 dev br0',
  },
  {
    what: 'an IPv6 address that went',
    line: 'ip addr del fd01::50/64 dev br0',
    told: 'missing: address fd01::50/64 dev br0',
  },
  {
    what: 'all addresses gone',
    line: 'ip addr flush dev br0',
    told: 'missing: address fe80::ff:fe00:150/64 dev br0',
  },
  {
    what: 'a route that went',
    line: 'ip route del default; ip -6 route del default',
    told: 'missing: route unicast ::/0 table main proto boot metric 1024 via fd01::1 dev br0',
  },
  {
    what: 'a route by the uplink',
    line: 'ip route add 10.78.0.0/16 dev eth0',
    told: 'too much: route unicast 10.78.0.0/16 table main proto boot scope link dev eth0',
    added: /10\.78\.0\.0/,
  },
  {
    what: 'a rule that names the uplink',
    line: 'ip rule add iif eth0 table 100',
    told: 'too much: IPv4 rule iif eth0 table 100 priority 32765',
    added: /lookup 100/,
  },
  {
    what: 'the port taken out',
    line: 'ip link set eth0 nomaster',
    told: 'different: link eth0 master is none, should be br0',
  },
  {
    what: 'another MTU',
    line: 'ip link set br0 mtu 1400; ip link set eth0 mtu 1300',
    told: 'different: link br0 mtu is 1400, should be 1500',
  },
  {
    what: 'another MAC',
    line: 'ip link set br0 address 02:00:00:00:09:09',
    told: 'different: link br0 mac is 02:00:00:00:09:09, should be 02:00:00:00:01:50',
  },
  {
    what: "another MAC of the uplink's",
    line: 'ip link set eth0 address 02:00:00:00:09:08',
    told: 'different: link eth0 mac is 02:00:00:00:09:08, should be 02:00:00:00:01:50',
  },
  {
    what: 'the bridge down',
    line: 'ip link set br0 down',
    told: 'different: link br0 up is false, should be true',
  },
  {
    what: 'the bridge down and up',
    line: 'ip link set br0 down; ip link set br0 up; until ip -6 addr show dev br0 | grep -q fe80; do :; done',
    told: 'missing: address fd01::50/64 dev br0',
  },
  {
    what: 'the uplink down',
    line: 'ip link set eth0 down',
    told: 'different: link eth0 up is false, should be true',
  },
  { what: 'the bridge deleted', line: 'ip link del br0', told: 'missing: link br0' },
]

async function expectLowered(lab: Lab, before: string, added: RegExp = /^$/): Promise<void> {
  const left = diffSnapshots(before, await snapshot(lab)).filter((line) => !added.test(line))
  expect([left, await reachable(lab), await journals(lab)]).toEqual([[], [], ''])
}

describe.each(drifts)('$what', ({ line, told, added }) => {
  test('is told, mended, and then brdown leaves nothing of it', async () => {
    await inLab(async (lab) => {
      const before = await snapshot(lab)
      await ok(lab, 'brup')
      const raised = await snapshot(lab)
      expect(await driftOf(lab)).toEqual([])
      await shell(lab, line)
      const drift = await driftOf(lab)
      expect(drift).toContain(told)
      const { exit, stdout, stderr } = await run(lab, 'brup')
      const says = drift.map((each) => `brup: repaired: ${each}\n`).join('')
      expect([exit, stdout, stderr]).toEqual([0, 'br0 is up again, with the uplink eth0\n', says])
      expect(await driftOf(lab)).toEqual([])
      const isNew = (each: string): boolean => added?.test(each) === true
      expect(diffSnapshots(raised, await snapshot(lab)).filter((each) => !isNew(each))).toEqual([])
      expect(await reachable(lab)).toEqual([])
      expect(await ok(lab, 'brup')).toBe('br0 is up already, with the uplink eth0\n')
      await ok(lab, 'brdown')
      await expectLowered(lab, before, added)
    })
  })

  test('does not keep brdown from its work', async () => {
    await inLab(async (lab) => {
      const before = await snapshot(lab)
      await ok(lab, 'brup')
      await shell(lab, line)
      await ok(lab, 'brdown')
      await expectLowered(lab, before, added)
    })
  })
})

test('another alias is put right, since it is the very bridge', async () => {
  await inLab(async (lab) => {
    const before = await snapshot(lab)
    await ok(lab, 'brup')
    const mark = (await linkOf(lab, 'br0'))?.ifalias
    await shell(lab, 'ip link set br0 alias hello')
    expect(await driftOf(lab)).toEqual([`different: link br0 alias is hello, should be ${String(mark)}`])
    await ok(lab, 'brup')
    expect((await linkOf(lab, 'br0'))?.ifalias).toBe(mark)
    await ok(lab, 'brdown')
    await expectLowered(lab, before)
  })
})

test('what was done to the bridge on purpose is no drift, and goes back with brdown', async () => {
  await inLab(async (lab) => {
    const before = await snapshot(lab)
    await ok(lab, 'brup')
    await shell(
      lab,
      'ip addr add 10.2.2.2/24 dev br0; ip addr add fd05::5/64 dev br0; ip route add 10.77.0.0/16 via 192.168.1.1; sysctl -qw net.ipv4.conf.br0.forwarding=1',
    )
    expect(await driftOf(lab)).toEqual([])
    expect(await ok(lab, 'brup')).toBe('br0 is up already, with the uplink eth0\n')
    await ok(lab, 'brdown')
    const left = diffSnapshots(before, await snapshot(lab))
    const routes = left.filter((line) => /^route6?: /.test(line) && !line.includes('table local'))
    expect(routes).toEqual([
      'route: + 10.2.2.0/24 dev eth0 proto kernel scope link src 10.2.2.2',
      'route: + 10.77.0.0/16 via 192.168.1.1 dev eth0',
      'route6: + fd05::/64 dev eth0 proto kernel metric 256 pref medium',
    ])
    const addresses = left.filter((line) => line.startsWith('address: '))
    expect(addresses.map((line) => line.split(' ')[4])).toEqual(['10.2.2.2/24', 'fd05::5/64'])
  })
})

test('ports that are not ours are told of, and stay', async () => {
  await inLab(async (lab) => {
    await ok(lab, 'brup')
    await shell(lab, 'ip link add v0 type veth peer name v1; ip link set v0 master br0')
    await shell(lab, 'ip tuntap add tap0 mode tap; ip link set tap0 master br0 up')
    expect((await driftOf(lab)).sort()).toEqual([
      'stale: port tap0, a tap that nobody holds',
      'too much: port v0, which is no tap',
    ])
    await ok(lab, 'brup')
    expect((await linkOf(lab, 'v0'))?.master).toBe('br0')
    expect((await run(lab, 'brdown')).exit).toBe(3)
    const { exit, stderr } = await run(lab, 'brdown --force')
    expect([exit, stderr.includes('taken off br0: v0: held by no process\n')]).toEqual([0, true])
    expect((await linkOf(lab, 'v0'))?.master).toBeUndefined()
  })
})

describe('the uplink', () => {
  test('in another bridge: brup refuses, brdown takes it out', async () => {
    await inLab(async (lab) => {
      await shell(lab, 'ip link add br1 type bridge')
      const before = await snapshot(lab)
      await ok(lab, 'brup')
      await shell(lab, 'ip link set eth0 master br1')
      const refused = await run(lab, 'brup')
      expect([refused.exit, refused.stderr]).toEqual([
        3,
        'brup: eth0 is a port of br1 now (ip link set eth0 nomaster, then brup again; or brdown br0 puts back what can be)\n',
      ])
      const { exit, stderr } = await run(lab, 'brdown')
      expect([exit, stderr]).toEqual([0, 'brdown: eth0 was a port of br1, and is taken out\n'])
      await expectLowered(lab, before, /br1/)
    })
  })

  test('taken out of the machine: brup refuses, brdown says what cannot be put back', async () => {
    await inLab(async (lab) => {
      await ok(lab, 'brup')
      await shell(lab, 'ip link del eth0')
      expect(await driftOf(lab)).toEqual(['missing: link eth0'])
      const refused = await run(lab, 'brup')
      expect([refused.exit, refused.stderr]).toEqual([
        3,
        'brup: eth0, the uplink of br0, is gone (brdown br0 puts back what can be)\n',
      ])
      const { exit, stdout, stderr } = await run(lab, 'brdown')
      expect([exit, stdout]).toEqual([0, 'br0 is down; what could be is as it was before\n'])
      expect(stderr).toContain('brdown: eth0 is gone; not put back: address 192.168.1.50/24 dev eth0\n')
      expect(await linkOf(lab, 'br0')).toBeUndefined()
      expect(await journals(lab)).toBe('')
    })
  })

  test('taken out and plugged in again: brdown gives it what it had', async () => {
    await inLab(async (lab) => {
      const before = await snapshot(lab)
      await ok(lab, 'brup')
      await shell(
        lab,
        'ip link del eth0; ip link add eth0 address 02:00:00:00:01:50 type veth peer name e9; ip link set e9 up',
      )
      await ok(lab, 'brdown')
      const addresses = (text: string): string[] =>
        text.split('\n').filter((line) => /^(default|eth0 inet6? (192|fd01))/.test(line))
      expect(addresses(await snapshot(lab))).toEqual(addresses(before))
      expect(addresses(before).length).toBeGreaterThan(3)
      expect(await linkOf(lab, 'br0')).toBeUndefined()
    })
  })
})
