import { describe, expect, test } from 'vitest'

import { advertise } from '../helpers/advertise.ts'
import { startWith } from '../helpers/at-switch.ts'
import { driftOf, inRaisedLab, lowered, shell } from '../helpers/laden.ts'
import { reachableSoon } from '../helpers/soon.ts'
import { holdTap, inLab, linkOf, ok, run, until } from '../helpers/tap.ts'
import type { Lab } from '../lab/lab.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'

/** drift.test.ts with a host that has more to lose: secondaries, next-hop objects, other tables, rules, neighbours. */

async function expectReachable(lab: Lab): Promise<void> {
  expect((await reachableSoon(lab)).silent).toEqual([])
}

/** What somebody did, and the drift that it is: all of it, or with `...` some of it. */
const drifts: Readonly<Record<string, readonly [string, ...(string | RegExp)[]]>> = {
  'an address back on the uplink': [
    'ip addr add 192.168.1.50/24 dev eth0',
    'too much: address 192.168.1.50/24 dev eth0',
    /^too much: route unicast 192.168.1.0\/24 .* dev eth0$/,
  ],
  'an IPv6 address back on the uplink': [
    'ip addr add fd01::50/64 dev eth0 nodad',
    'too much: address fd01::50/64 dev eth0',
    /^too much: route unicast fd01::\/64 .* dev eth0$/,
  ],
  'a default route back on the uplink': [
    'ip addr add 192.168.1.50/24 dev eth0; ip route append default via 192.168.1.1 dev eth0',
    'too much: address 192.168.1.50/24 dev eth0',
    /^too much: route unicast 192.168.1.0\/24 .* dev eth0$/,
    /^too much: route unicast 0.0.0.0\/0 .* dev eth0$/,
  ],
  'the uplink out of the bridge': [
    'ip link set eth0 nomaster',
    'different: link eth0 master is none, should be br0',
    /./,
  ],
  'the uplink down': ['ip link set eth0 down', 'different: link eth0 up is false, should be true', /./],
  'the uplink out and down': ['ip link set eth0 nomaster down', /master is none/, /up is false/, /./],
  'the bridge down': ['ip link set br0 down', 'different: link br0 up is false, should be true', /./],
  'the bridge deleted': [
    'ip link del br0',
    'different: link eth0 master is none, should be br0',
    'missing: link br0',
  ],
  'the bridge deleted, and addresses on the uplink': [
    'ip link del br0; ip addr add 192.168.1.50/24 dev eth0; ip route add default via 192.168.1.1 dev eth0',
    'different: link eth0 master is none, should be br0',
    'missing: link br0',
    'too much: address 192.168.1.50/24 dev eth0',
    /^too much: route/,
    /^too much: route/,
  ],
  "the bridge's MTU": [
    'ip link set br0 mtu 1400',
    'different: link br0 mtu is 1400, should be 1500',
    /mtu/,
    /mtu/,
  ],
  "the uplink's MTU": [
    'ip link set eth0 mtu 1400',
    'different: link eth0 mtu is 1400, should be 1500',
    /mtu/,
  ],
  'no room for IPv6 on the bridge': ['ip link set br0 mtu 1200', /mtu is 1200/, /./],
  'no room for IPv6 on the uplink': ['ip link set eth0 mtu 1200', /mtu is 1200/],
  "the bridge's MAC": [
    'ip link set br0 address 02:00:00:00:00:99',
    'different: link br0 mac is 02:00:00:00:00:99, should be 02:00:00:00:01:50',
    'missing: neighbour 192.168.1.77 dev br0',
  ],
  "the uplink's MAC": [
    'ip link set eth0 address 02:00:00:00:00:99',
    'different: link eth0 mac is 02:00:00:00:00:99, should be 02:00:00:00:01:50',
  ],
  'the mark': ['ip link set br0 alias mine', /^different: link br0 alias is mine, should be qemu-tap-hooks /],
  'a secondary address': [
    'ip addr del 192.168.1.51/24 dev br0',
    'missing: address 192.168.1.51/24 dev br0',
    /^missing: route unicast 10.7.0.0/,
  ],
  'the address and its secondary': [
    'ip addr del 192.168.1.50/24 dev br0',
    'missing: address 192.168.1.50/24 dev br0',
    'missing: address 192.168.1.51/24 dev br0',
    /^missing: route/,
    /^missing: route/,
  ],
  'the address, its secondary promoted': [
    'sysctl -qw net.ipv4.conf.all.promote_secondaries=1; ip addr del 192.168.1.50/24 dev br0; sysctl -qw net.ipv4.conf.all.promote_secondaries=0',
    'missing: address 192.168.1.50/24 dev br0',
    /^missing: route/,
  ],
  'all IPv4 addresses': [
    'ip -4 addr flush dev br0',
    ...['192.168.1.50', '10.9.0.1', '192.168.1.51'].map(
      (address) => `missing: address ${address}/24 dev br0`,
    ),
    /^missing: route/,
    /^missing: neighbour/,
  ],
  'an IPv6 address': ['ip addr del fd01::51/64 dev br0', 'missing: address fd01::51/64 dev br0'],
  'all IPv6 addresses': ['ip -6 addr flush dev br0', 'missing: address fd01::50/64 dev br0', /./],
  'the default route': [
    'ip route del default',
    /^missing: route unicast 0.0.0.0\/0 table main .* via 192.168.1.1 dev br0$/,
  ],
  'the IPv6 default route': [
    'ip -6 route del default',
    /^missing: route unicast ::\/0 .* via fd01::1 dev br0$/,
  ],
  'a route of another table': ['ip route flush table 100', /^missing: route unicast 0.0.0.0\/0 table 100 /],
  'a rule': ['ip rule del priority 500', 'missing: IPv4 rule iif br0 table 100 priority 500'],
  'a neighbour': ['ip neigh del 192.168.1.77 dev br0', /^missing: neighbour 192.168.1.77 /],
  'a next-hop object': [
    'ip nexthop del id 5',
    /^missing: route unicast 10.5.0.0\/16 .* nhid 5$/,
    /^missing: nexthop id 5 /,
  ],
}

/** Each line fits one of the patterns, and each pattern some line. */
function expectDrift(lines: readonly string[], patterns: readonly (string | RegExp)[]): void {
  const fits = (line: string, pattern: string | RegExp): boolean =>
    typeof pattern === 'string' ? line === pattern : pattern.test(line)
  expect(lines.filter((line) => !patterns.some((pattern) => fits(line, pattern)))).toEqual([])
  expect([lines, patterns.filter((pattern) => !lines.some((line) => fits(line, pattern)))]).toEqual([
    lines,
    [],
  ])
}

describe('is told by brstatus, mended by brup, and no hindrance for brdown afterwards', () => {
  test.each(Object.entries(drifts))('%s', async (_, [line, ...patterns]) => {
    await inRaisedLab(async (lab, before) => {
      expect(await driftOf(lab)).toEqual([])
      await shell(lab, line)
      const drift = await driftOf(lab)
      expectDrift(drift, patterns)
      const { exit, stdout, stderr } = await run(lab, 'brup')
      const said = stderr.split('\n').filter((each) => each.startsWith('brup: repaired: '))
      expect([exit, stdout, stderr]).toEqual([0, 'br0 is up again, with the uplink eth0\n', stderr])
      expect(said).toEqual(drift.map((each) => `brup: repaired: ${each}`))
      expect(await driftOf(lab)).toEqual([])
      await expectReachable(lab)
      expect(await ok(lab, 'brup')).toBe('br0 is up already, with the uplink eth0\n')
      expect(await lowered(lab, before)).toEqual([])
    })
  })
})

describe('is undone by brdown alone', () => {
  test.each(Object.entries(drifts))('%s', async (_, [line]) => {
    await inRaisedLab(async (lab, before) => {
      await shell(lab, line)
      const { exit, stderr } = await run(lab, 'brdown')
      expect([exit, stderr]).toEqual([0, ''])
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
      await expectReachable(lab)
    })
  })
})

describe('what has come or gone for good is no hindrance', () => {
  const defaults = (lab: Lab): Promise<string> => shell(lab, 'ip route show default')

  test.each(['brup', 'brdown'])('a running lease that was flushed comes back: %s', async (command) => {
    await inLab(async (lab) => {
      await lab.ip('host', 'addr change 192.168.1.50/24 dev eth0 valid_lft 3600 preferred_lft 3600')
      await ok(lab, 'brup')
      await shell(lab, 'ip addr flush dev br0')
      await ok(lab, command)
      await expectReachable(lab)
      const dev = command === 'brup' ? 'br0' : 'eth0'
      expect(await shell(lab, `ip -4 addr show dev ${dev}`)).toMatch(
        /192\.168\.1\.50\/24 .*\n +valid_lft 3[56]/,
      )
    })
  })

  test.each(['brdown', 'brup'])('an address that was renumbered within its subnet: %s', async (command) => {
    await inRaisedLab(async (lab) => {
      await shell(
        lab,
        'sysctl -qw net.ipv4.conf.all.promote_secondaries=1; ip addr del 192.168.1.51/24 dev br0;' +
          'ip addr add 192.168.1.60/24 dev br0; ip addr del 192.168.1.50/24 dev br0',
      )
      await ok(lab, command)
      if (command === 'brup') await ok(lab, 'brdown')
      expect(await shell(lab, "ip -o -4 addr show dev eth0 | awk '{ print $4 }'")).toBe(
        '10.9.0.1/24\n192.168.1.60/24\n',
      )
    })
  })

  test('a default route that a VPN replaced', async () => {
    await inRaisedLab(async (lab) => {
      await shell(
        lab,
        'ip link add vpn0 type veth peer name vpn9; ip link set vpn9 up; ip addr add 10.66.0.1/24 dev vpn0; ip link set vpn0 up;' +
          'ip route replace default via 10.66.0.2 dev vpn0',
      )
      expect(await ok(lab, 'brup')).toBe('br0 is up already, with the uplink eth0\n')
      await ok(lab, 'brdown')
      expect(await defaults(lab)).toBe('default via 10.66.0.2 dev vpn0 \n')
    })
  })

  test.each([
    ['brup', 'br0'],
    ['brdown', 'eth0'],
  ])('a prefix that a router advertises in the middle of %s', async (command, dev) => {
    await inLab(async (lab) => {
      if (command === 'brdown') await ok(lab, 'brup')
      const router = await advertise(lab, { prefix: 'fd03::', gate: '/run/advertise' })
      const { exited } = await startWith(lab, command, {
        script: '(sleep 0.02; touch /run/advertise) &',
      })
      expect(await exited).toMatchObject({ exit: 0 })
      await until('an address of the prefix', async () =>
        (await shell(lab, `ip -6 addr show dev ${dev}`)).includes('inet6 fd03::'),
      )
      router.kill('SIGKILL')
      await router.exited
    })
  })
})

const kept = 'taps and ports that somebody added'

describe(`${kept} are told, and left alone`, () => {
  test('a foreign port and a stale tap', async () => {
    await inRaisedLab(async (lab, before) => {
      const { running } = await holdTap(lab, 'tap0')
      await ok(lab, 'qemu-ifup tap0')
      await lab.ip('host', [
        'link add port9 type veth peer name peer9',
        'link set port9 master br0',
        'tuntap add tap9 mode tap',
      ])
      await ok(lab, 'qemu-ifup tap9')
      const drift = ['too much: port port9, which is no tap', 'stale: port tap9, a tap that nobody holds']
      expect([...(await driftOf(lab))].sort()).toEqual([...drift].sort())
      expect(await ok(lab, 'brup')).toBe('br0 is up already, with the uplink eth0\n')
      await shell(lab, 'ip route del default')
      const { stderr } = await run(lab, 'brup')
      expect(stderr).toMatch(/^brup: repaired: missing: route .*\n$/)
      expect([...(await driftOf(lab))].sort()).toEqual([...drift].sort())
      for (const port of ['tap0', 'tap9', 'port9']) expect((await linkOf(lab, port))?.master).toBe('br0')
      const refused = await run(lab, 'brdown')
      expect([refused.exit, refused.stderr]).toEqual([3, expect.stringContaining('\n  port9: ')])
      running.kill('SIGKILL')
      await running.exited
      await ok(lab, 'brdown --force')
      for (const port of ['tap9', 'port9']) expect((await linkOf(lab, port))?.master).toBeUndefined()
      await lab.ip('host', ['link del port9', 'tuntap del tap9 mode tap'])
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    })
  })
})
