import { describe, expect, test } from 'vitest'

import { advertise } from '../helpers/advertise.ts'
import { expectEnding } from '../helpers/refused.ts'
import { bin, inLab, ok, run, until } from '../helpers/tap.ts'
import { startVethGuest, type VethGuest } from '../helpers/veth-guest.ts'
import type { Lab } from '../lab/lab.ts'
import { reachable } from '../lab/reachable.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'
import { addressOf } from '../lab/topology.ts'

/** `brup --nat`: guests reach what the host reaches, and nobody reaches them uninvited. */

const raise = (bridge: string, net: number, how = '--nat'): string =>
  `brup ${bridge} ${how} --address 192.168.${net}.1/24 --address fd${net}::1/64`

const guestOn = (
  lab: Lab,
  name: string,
  at: { bridge: string; net: number; host: number },
): Promise<VethGuest> =>
  startVethGuest(lab, {
    name,
    bridge: at.bridge,
    addresses: [`192.168.${at.net}.${at.host}/24`, `fd${at.net}::${at.host}/64`],
  })

/** Which of the addresses answer the guest. */
const reached = async (guest: VethGuest, addresses: readonly string[]): Promise<readonly string[]> => {
  const answers = await Promise.all(addresses.map((address) => guest.reaches(address)))
  return addresses.filter((_, index) => answers[index])
}

const outside = [addressOf.outside[4], addressOf.outside[6]]
const of = (net: number, host: number): readonly string[] => [`192.168.${net}.${host}`, `fd${net}::${host}`]

const forwarding = (lab: Lab): Promise<string> =>
  lab.ok('host', [
    'sh',
    '-c',
    'cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding | tr "\\n" " "',
  ])

describe('guests of a bridge with NAT', () => {
  test('reach each other, the host and what is outside, in both families', async () => {
    await inLab(async (lab) => {
      const before = await snapshot(lab)
      expect(await ok(lab, raise('br20', 20))).toBe('br20 is up, with NAT\n')
      const one = await guestOn(lab, 'g1', { bridge: 'br20', net: 20, host: 9 })
      const two = await guestOn(lab, 'g2', { bridge: 'br20', net: 20, host: 10 })
      const all = [...of(20, 10), ...of(20, 1), addressOf.host[4], addressOf.host[6], ...outside]
      expect(await reached(one, all)).toEqual(all)
      expect(await reachable(lab)).toEqual([])
      await one.end()
      await two.end()
      expect(await ok(lab, 'brdown br20')).toBe('br20 is down\n')
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    })
  })

  test('are reached by nobody uninvited, not from outside and not from another bridge', async () => {
    await inLab(async (lab) => {
      await ok(lab, raise('br20', 20))
      await ok(lab, raise('br21', 21))
      await ok(lab, raise('br10', 10, '--no-uplink'))
      const guests = {
        own: await guestOn(lab, 'g1', { bridge: 'br20', net: 20, host: 9 }),
        other: await guestOn(lab, 'g2', { bridge: 'br21', net: 21, host: 9 }),
        lonely: await guestOn(lab, 'g3', { bridge: 'br10', net: 10, host: 9 }),
      }
      await lab.ip('router', [
        'route add 192.168.20.0/24 via 192.168.1.50',
        'route add fd20::/64 via fd01::50',
      ])
      for (const address of of(20, 9)) {
        const ping = await lab.run('outside', ['ping', '-n', '-c', '1', '-W', '1', address])
        expect([address, ping.exit]).toEqual([address, 1])
      }
      expect(await reached(guests.own, outside)).toEqual(outside)
      expect(await reached(guests.own, [...of(21, 9), ...of(10, 9)])).toEqual([])
      expect(await reached(guests.other, [...of(20, 9), ...of(10, 9), ...outside])).toEqual(outside)
      expect(await reached(guests.lonely, [...of(20, 9), ...of(21, 9), ...outside, ...of(10, 1)])).toEqual(
        of(10, 1),
      )
    })
  })
})

describe('forwarding', () => {
  test('is on as long as a bridge needs it, whichever goes first', async () => {
    await inLab(async (lab) => {
      const before = await snapshot(lab)
      for (const [first, second] of [
        ['br20', 'br21'],
        ['br21', 'br20'],
      ] as const) {
        await ok(lab, raise('br20', 20))
        await ok(lab, raise('br21', 21))
        await ok(lab, `brdown ${first}`)
        expect(await forwarding(lab)).toBe('1 1 ')
        const net = Number(second.slice(2))
        const guest = await guestOn(lab, 'g1', { bridge: second, net, host: 9 })
        expect(await reached(guest, outside)).toEqual(outside)
        await guest.end()
        await ok(lab, `brdown ${second}`)
        expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
      }
    })
  })

  test('that somebody else turned on stays on', async () => {
    await inLab(async (lab) => {
      await lab.ok('host', ['sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward'])
      const before = await snapshot(lab)
      await ok(lab, raise('br20', 20))
      expect(await forwarding(lab)).toBe('1 1 ')
      await ok(lab, 'brdown br20')
      expect(await forwarding(lab)).toBe('1 0 ')
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    })
  })

  test('is turned on for the families that the bridge has', async () => {
    await inLab(async (lab) => {
      await ok(lab, 'brup br20 --nat --address 192.168.20.1/24')
      expect(await forwarding(lab)).toBe('1 0 ')
      await ok(lab, 'brup br21 --nat --address fd21::1/64')
      expect(await forwarding(lab)).toBe('1 1 ')
      await ok(lab, 'brdown br20')
      expect(await forwarding(lab)).toBe('0 1 ')
      await ok(lab, 'brdown br21')
      expect(await forwarding(lab)).toBe('0 0 ')
    })
  })

  test.each([
    ['br0 first', ['brup', raise('br20', 20), 'brdown', 'brdown br20']],
    ['br0 in between', [raise('br20', 20), 'brup', 'brdown br20', 'brdown']],
    ['br0 inside', [raise('br20', 20), 'brup', 'brdown', 'brdown br20']],
    ['NAT inside', ['brup', raise('br20', 20), 'brdown br20', 'brdown']],
  ])('does not come between a bridge with NAT and one with an uplink: %s', async (_, lines) => {
    await inLab(async (lab) => {
      const before = await snapshot(lab)
      for (const line of lines) {
        await ok(lab, line)
        expect(await reachable(lab)).toEqual([])
        const isNatUp = (await lab.run('host', ['ip', 'link', 'show', 'br20'])).exit === 0
        if (!isNatUp) continue
        const guest = await guestOn(lab, 'g1', { bridge: 'br20', net: 20, host: 9 })
        expect([line, await reached(guest, outside)]).toEqual([line, outside])
        await guest.end()
      }
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    })
  })

  test.each([
    ['comes', [], [raise('br20', 20)]],
    ['goes', [raise('br20', 20)], ['brdown br20']],
  ])(
    'is as it is now when a trial of br0 is over under which a bridge with NAT %s',
    async (_, first, meanwhile) => {
      await inLab(async (lab) => {
        const before = await snapshot(lab)
        for (const line of first) await ok(lab, line)
        const trial = await lab.start('host', [bin('brup'), '--try', '4'])
        await until('the trial has begun', () => Promise.resolve(trial.stderr().includes('is on trial')))
        for (const line of meanwhile) await ok(lab, line)
        expect((await trial.exited).exit).toBe(1)
        if (first.length === 0) {
          const guest = await guestOn(lab, 'g1', { bridge: 'br20', net: 20, host: 9 })
          expect(await reached(guest, outside)).toEqual(outside)
          await guest.end()
          await ok(lab, 'brdown br20')
        }
        expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
      })
    },
  )

  test('is as it is now on a bridge that is made anew', async () => {
    await inLab(async (lab) => {
      const before = await snapshot(lab)
      await ok(lab, 'brup')
      await ok(lab, raise('br20', 20))
      await lab.ip('host', 'link del br0')
      await ok(lab, 'brup')
      const guest = await guestOn(lab, 'g1', { bridge: 'br20', net: 20, host: 9 })
      expect(await reached(guest, outside)).toEqual(outside)
      await guest.end()
      await ok(lab, 'brdown br20')
      await ok(lab, 'brdown')
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    })
  })

  test('is the bridge’s own where new links do not forward, and what somebody changes meanwhile stays', async () => {
    await inLab(
      async (lab) => {
        const conf = '/proc/sys/net/ipv4/conf'
        await lab.ok('host', [
          'sh',
          '-c',
          `echo 1 >${conf}/all/forwarding; echo 0 >${conf}/default/forwarding`,
        ])
        await ok(lab, raise('br20', 20))
        const guest = await guestOn(lab, 'g1', { bridge: 'br20', net: 20, host: 9 })
        expect(await reached(guest, outside)).toEqual(outside)
        await lab.ok('host', ['sh', '-c', `echo 0 >${conf}/br20/forwarding; echo 0 >${conf}/eth1/forwarding`])
        expect(await ok(lab, 'brstatus br20')).toContain(
          '  drift: different: net.ipv4.conf.br20.forwarding is 0, should be 1\n',
        )
        expect(await ok(lab, 'brup br20')).toBe('br20 is up again, with NAT\n')
        expect(await reached(guest, outside)).toEqual(outside)
        await guest.end()
        await ok(lab, 'brdown br20')
        expect(await lab.ok('host', ['cat', `${conf}/eth1/forwarding`, `${conf}/eth0/forwarding`])).toBe(
          '0\n1\n',
        )
      },
      { secondUplink: { metric: 100 } },
    )
  })
})

test.each(['--nat', '--no-uplink'])(
  'the host takes no router from the guests of a bridge %s',
  async (how) => {
    await inLab(async (lab) => {
      await ok(lab, `brup br10 ${how} --address 192.168.10.1/24`)
      await ok(lab, raise('br20', 20))
      const settings = ['br10', 'br20'].flatMap((dev) =>
        ['accept_ra', 'autoconf'].map((key) => `/proc/sys/net/ipv6/conf/${dev}/${key}`),
      )
      expect(await lab.ok('host', ['cat', ...settings])).toBe('0\n0\n0\n0\n')
    })
  },
)

test('what the host sends to itself is not masqueraded', async () => {
  await inLab(async (lab) => {
    await ok(lab, raise('br20', 20))
    const script = `use IO::Socket::IP; my $l = IO::Socket::IP->new(LocalPort => 80, Listen => 5) or die; my $s = IO::Socket::IP->new(PeerHost => '192.168.20.1', PeerPort => 80) or die; print $l->accept->peerhost`
    expect(await lab.ok('host', ['perl', '-e', script])).toMatch(/192\.168\.20\.1$/)
  })
})

test('a router’s advertisements are heard while the host forwards, and its default route stays', async () => {
  await inLab(async (lab) => {
    await lab.ok('host', ['ip', '-6', 'route', 'del', 'default'])
    const router = await advertise(lab, { prefix: 'fd03::', gate: '/run', lifetime: 1800 })
    const advertised = (): Promise<string> =>
      lab.ok('host', ['ip', '-6', 'route', 'show', 'default', 'proto', 'ra'])
    const addresses = (): Promise<string> =>
      lab.ok('host', ['ip', '-6', 'addr', 'show', 'dev', 'eth0', 'dynamic'])
    await until('the router is heard', async () => (await addresses()).includes('fd03::'))
    await ok(lab, raise('br20', 20))
    expect(await advertised()).toContain('via fe80::')
    await lab.ok('host', ['ip', '-6', 'addr', 'flush', 'dev', 'eth0', 'dynamic'])
    await until('it is heard again', async () => (await addresses()).includes('fd03::'))
    expect(await reachable(lab)).toEqual([])
    await ok(lab, 'brdown br20')
    expect(await advertised()).toContain('via fe80::')
    expect(await lab.ok('host', ['cat', '/proc/sys/net/ipv6/conf/eth0/accept_ra'])).toBe('1\n')
    router.kill()
  })
})

test('chains and forwarding that somebody took away are drift, and come back', async () => {
  await inLab(async (lab) => {
    await ok(lab, raise('br20', 20))
    const chains = await lab.ok('host', ['nft', '-s', 'list', 'table', 'inet', 'qemu-tap-hooks'])
    await lab.ok('host', ['sh', '-c', 'nft flush ruleset; echo 0 >/proc/sys/net/ipv4/ip_forward'])
    const { stdout } = await run(lab, 'brstatus br20')
    expect(stdout).toContain('  drift: missing: firewall chains of br20\n')
    expect(stdout).toContain('  drift: different: net.ipv4.conf.all.forwarding is 0, should be 1\n')
    expect(await ok(lab, 'brup br20')).toBe('br20 is up again, with NAT\n')
    expect(await lab.ok('host', ['nft', '-s', 'list', 'table', 'inet', 'qemu-tap-hooks'])).toBe(chains)
    expect(await forwarding(lab)).toBe('1 1 ')
    await lab.ok('host', ['nft', 'flush', 'chain', 'inet', 'qemu-tap-hooks', 'forward-br20'])
    expect((await run(lab, 'brstatus br20')).stdout).toContain(
      '  drift: different: firewall chains of br20\n',
    )
    await ok(lab, 'brdown br20')
  })
})

describe('published ports', () => {
  const file = '/run/config.toml'
  const config = (port: number): string => `
[[bridge]]
name = "br20"
nat = true
address = ["192.168.20.1/24", "fd20::1/64"]
[[bridge.forward]]
port = ${port}
to = "192.168.20.9:80"
[[bridge.forward]]
port = ${port}
to = "[fd20::9]:80"
[[bridge.forward]]
protocol = "udp"
port = 5300
to = "192.168.20.9:53"
`
  const write = (lab: Lab, port = 8080): Promise<string> =>
    lab.ok('host', ['tee', file], { input: config(port) })

  /** What a TCP server says to whoever connects. */
  const served = async (lab: Lab, node: 'outside' | 'host', address: string): Promise<string> => {
    const script = `use IO::Socket::IP; my $s = IO::Socket::IP->new(PeerHost => '${address}', PeerPort => 8080, Timeout => 2) or exit 1; print scalar <$s>`
    return (await lab.run(node, ['perl', '-e', script])).stdout
  }
  const serve = `perl -MIO::Socket::IP -e '$|=1; my $l = IO::Socket::IP->new(LocalHost => "::", V6Only => 0, LocalPort => 80, Listen => 5, ReuseAddr => 1) or die; while (my $c = $l->accept) { print $c $c->peerhost, "\n"; close $c }' >/dev/null 2>&1 &`

  test('lead to the guest, from outside and from the host, in both families', async () => {
    await inLab(async (lab) => {
      await write(lab)
      const before = await snapshot(lab)
      await ok(lab, `brup br20 --config ${file}`)
      const guest = await guestOn(lab, 'g1', { bridge: 'br20', net: 20, host: 9 })
      await guest.run(serve)
      await until('the guest serves', async () => (await served(lab, 'host', '192.168.1.50')) !== '')
      expect(await served(lab, 'outside', addressOf.host[4])).toMatch(/203\.0\.113\.9/)
      expect(await served(lab, 'outside', addressOf.host[6])).toBe('fd99::9\n')
      expect(await served(lab, 'host', addressOf.host[6])).toBe('fd01::50\n')
      expect(await ok(lab, `brup br20 --config ${file}`)).toBe('br20 is up already, with NAT\n')
      await guest.end()
      await ok(lab, 'brdown br20')
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    })
  })

  test('do not take from the host what it serves itself', async () => {
    await inLab(async (lab) => {
      await write(lab, 22)
      const listening = `use IO::Socket::IP; my $l = IO::Socket::IP->new(LocalPort => 22, Listen => 5) or die; print "up\n"; STDOUT->flush; sleep 60`
      const server = await lab.start('host', ['perl', '-e', listening])
      await server.waitFor(/up/)
      await expectEnding(lab, `brup br20 --config ${file}`, {
        says: /the host listens on tcp port 22 itself \(publish another port\)/,
      })
    })
  })
})
