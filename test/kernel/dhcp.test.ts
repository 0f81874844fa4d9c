import { describe, expect, test } from 'vitest'

import { shot } from '../helpers/faults.ts'
import { expectEnding } from '../helpers/refused.ts'
import { bin, inLab, ok, run, until } from '../helpers/tap.ts'
import { startVethGuest, type VethGuest } from '../helpers/veth-guest.ts'
import { processesLike } from '../helpers/watchdog.ts'
import type { Lab } from '../lab/lab.ts'
import { diffSnapshots } from '../lab/snapshot.ts'

/** `--dhcp-range`: a real dnsmasq gives real clients addresses and names, on the bridge and nowhere else. */

const raise =
  'brup br20 --nat --address 192.168.20.1/24 --address fd20::1/64 --dhcp-range 192.168.20.50,192.168.20.59'

const servers = (lab: Lab): Promise<readonly number[]> => processesLike(lab, 'qemu-tap-hooks-dnsmasq *')

/** What udhcpc is given: `192.168.20.50 192.168.20.1 192.168.20.1`, address, router and name server. */
async function lease(guest: VethGuest, name: string): Promise<string> {
  const script = '[ "$1" = bound ] && echo "$ip $router $dns" && ip addr add "$ip/$mask" dev eth0; :'
  const written = `printf '#!/bin/sh\\n%s\\n' '${script}' >/run/udhcpc-${name}; chmod +x /run/udhcpc-${name}`
  const line = `${written}; busybox udhcpc -i eth0 -n -q -f -x hostname:${name} -s /run/udhcpc-${name} 2>/dev/null`
  return (await guest.run(line)).stdout.trim()
}

const lookUp = async (guest: VethGuest, name: string, server: string): Promise<string> =>
  (await guest.run(`busybox nslookup ${name} ${server}`)).stdout

const guestOn = (lab: Lab, name: string): Promise<VethGuest> =>
  startVethGuest(lab, { name, bridge: 'br20', addresses: [] })

describe('guests', () => {
  test('get addresses, a way out and each other’s names, in both families', async () => {
    await inLab(async (lab) => {
      const before = await shot(lab)
      await ok(lab, raise)
      const [one, two] = [await guestOn(lab, 'g1'), await guestOn(lab, 'g2')]
      const mine = await lease(one, 'one')
      const theirs = await lease(two, 'two')
      expect(mine).toMatch(/^192\.168\.20\.5\d 192\.168\.20\.1 192\.168\.20\.1$/)
      expect(theirs).toMatch(/^192\.168\.20\.5\d /)
      expect(mine).not.toBe(theirs)
      expect(await lookUp(one, 'two', '192.168.20.1')).toContain(theirs.split(' ')[0])
      await one.run('ip route add default via 192.168.20.1')
      expect(await one.reaches('203.0.113.9')).toBe(true)
      await until('the bridge is advertised', async () =>
        (await one.run('ip -6 addr show dev eth0 scope global')).stdout.includes('fd20::'),
      )
      expect((await one.run('ip -6 route show default')).stdout).toContain('proto ra')
      await one.end()
      await two.end()
      await ok(lab, 'brdown br20')
      expect(await servers(lab)).toEqual([])
      expect(diffSnapshots(before, await shot(lab))).toEqual([])
    })
  })

  test('that are known get the address and the name that the configuration gives', async () => {
    await inLab(async (lab) => {
      const file = '/run/config.toml'
      const guest = await lab
        .ok('host', ['tee', file], {
          input: `
[[bridge]]
name = "br20"
nat = true
address = ["192.168.20.1/24"]
dhcp_range = "192.168.20.50,192.168.20.59"
[[bridge.guest]]
mac = "52:54:00:00:00:07"
name = "seven"
address = "192.168.20.7"
`,
        })
        .then(async () => {
          await ok(lab, `brup br20 --config ${file}`)
          return guestOn(lab, 'g1')
        })
      await guest.run('ip link set eth0 down; ip link set eth0 address 52:54:00:00:00:07 up')
      expect(await lease(guest, 'whoever')).toMatch(/^192\.168\.20\.7 /)
      expect(await lookUp(guest, 'seven', '192.168.20.1')).toContain('192.168.20.7')
      expect(await ok(lab, `brup br20 --config ${file}`)).toBe('br20 is up already, with NAT\n')
      await expectEnding(lab, `brup br20 --config ${file} --dhcp-range 192.168.20.60,192.168.20.69`, {
        says: /br20 is up with another DHCP range or other guests \(run brdown br20 first\)/,
      })
    })
  })

  test('of a host-only bridge get an address, and no router', async () => {
    await inLab(async (lab) => {
      await ok(lab, raise.replace('--nat', '--no-uplink'))
      const guest = await guestOn(lab, 'g1')
      expect(await lease(guest, 'one')).toMatch(/^192\.168\.20\.5\d {2}192\.168\.20\.1$/)
      expect(await lookUp(guest, 'one', '192.168.20.1')).toMatch(/192\.168\.20\.5\d/)
      expect(await lookUp(guest, 'example.org', '192.168.20.1')).toContain('REFUSED')
    })
  })
})

describe('the server', () => {
  test('that died is drift, and comes back with its leases', async () => {
    await inLab(async (lab) => {
      await ok(lab, raise)
      const guest = await guestOn(lab, 'g1')
      const mine = await lease(guest, 'one')
      const [pid = 0] = await servers(lab)
      await lab.ok('host', ['kill', '-9', String(pid)])
      expect(await ok(lab, 'brstatus br20')).toContain('  drift: missing: dnsmasq of br20\n')
      expect(await ok(lab, 'brup br20')).toBe('br20 is up again, with NAT\n')
      expect(await lookUp(guest, 'one', '192.168.20.1')).toContain(mine.split(' ')[0])
      expect(await servers(lab)).toHaveLength(1)
      await ok(lab, 'brdown br20 --force')
      expect(await servers(lab)).toEqual([])
    })
  })

  test('answers no question that comes from beyond its bridge', async () => {
    await inLab(async (lab) => {
      await ok(lab, raise)
      const ask = ['busybox', 'nslookup', '-type=a', 'localhost', '192.168.20.1']
      await lab.ip('router', 'route add 192.168.20.0/24 via 192.168.1.50')
      expect((await lab.run('host', ask)).stdout).toContain('Server')
      const asked = await lab.run('router', ask)
      expect(asked.stdout + asked.stderr).toContain('no servers could be reached')
    })
  })

  test('is told from its children that answer guests by TCP, and from what is left of them', async () => {
    await inLab(async (lab) => {
      await ok(lab, raise)
      const guest = await guestOn(lab, 'g1')
      await lease(guest, 'one')
      const client = await lab.start('host', ['sh', '-c', 'sleep 60 | busybox nc 192.168.20.1 53'])
      await until('it has a child', async () => (await servers(lab)).length === 2)
      expect(await ok(lab, 'brstatus br20')).not.toContain('dnsmasq')
      const [first = 0, second = 0] = await servers(lab)
      const written = await lab.ok('host', ['sh', '-c', 'cat /run/qemu-tap-hooks/*/dnsmasq-br20.pid'])
      const server = Number(written)
      expect([first, second]).toContain(server)
      await lab.ok('host', ['kill', '-9', written.trim()])
      expect(await servers(lab)).toHaveLength(1)
      expect(await ok(lab, 'brstatus br20')).toContain('  drift: different: dnsmasq of br20\n')
      expect(await ok(lab, 'brup br20')).toBe('br20 is up again, with NAT\n')
      expect(await servers(lab)).toHaveLength(1)
      expect(await lease(guest, 'one')).toMatch(/^192\.168\.20\.5\d /)
      client.kill('SIGKILL')
      await ok(lab, 'brdown br20 --force')
      expect(await servers(lab)).toEqual([])
    })
  })

  test('serves a bridge that was deleted and made anew', async () => {
    await inLab(async (lab) => {
      await ok(lab, raise)
      await lab.ip('host', 'link del br20')
      expect(await ok(lab, 'brup br20')).toBe('br20 is up again, with NAT\n')
      expect(await lease(await guestOn(lab, 'g1'), 'one')).toMatch(/^192\.168\.20\.5\d /)
      await ok(lab, 'brdown br20 --force')
      expect(await servers(lab)).toEqual([])
    })
  })

  test.each([
    ['the same', raise],
    ['another', raise.replace(',192.168.20.59', ',192.168.20.69')],
    ['none', raise.replace(/ --dhcp-range .*/, '')],
  ])('that is left without a journal ends with the next brdown, after %s', async (_, line) => {
    await inLab(async (lab) => {
      await ok(lab, raise)
      await lab.ok('host', ['sh', '-c', 'rm /run/qemu-tap-hooks/*/journal-br20.json'])
      await lab.ip('host', 'link del br20')
      await lab.ok('host', ['nft', 'delete', 'table', 'inet', 'qemu-tap-hooks'])
      await ok(lab, line)
      const isServed = line.includes('--dhcp-range')
      expect(await servers(lab)).toHaveLength(isServed ? 1 : 0)
      await ok(lab, 'brdown br20')
      expect(await servers(lab)).toEqual([])
    })
  })

  test('of another network namespace is not taken for ours', async () => {
    await inLab(async (lab) => {
      await ok(lab, raise)
      await lab.ok('router', [bin('brup'), ...raise.split(' ').slice(1)])
      expect(await servers(lab)).toHaveLength(2)
      expect(await ok(lab, 'brstatus br20')).not.toContain('drift')
      await ok(lab, 'brdown br20')
      expect(await servers(lab)).toHaveLength(1)
      await lab.ok('router', [bin('brdown'), 'br20'])
      expect(await servers(lab)).toEqual([])
    })
  })

  test('stands beside others on port 53, on other addresses', async () => {
    await inLab(async (lab) => {
      const other = [
        'dnsmasq',
        '--conf-file=/dev/null',
        '--pid-file=',
        '-k',
        '--bind-interfaces',
        '--listen-address=127.0.0.1',
        '--except-interface=lo0',
        '--user=root',
      ]
      await lab.start('host', other)
      await until('it listens', async () =>
        (await lab.ok('host', ['cat', '/proc/net/udp'])).includes('0100007F:0035'),
      )
      await ok(lab, raise)
      await ok(lab, raise.replaceAll('20', '21'))
      expect(await servers(lab)).toHaveLength(2)
      await ok(lab, 'brdown br20')
      expect(await servers(lab)).toHaveLength(1)
      await ok(lab, 'brdown br21')
    })
  })

  test('that cannot have its port is no reason to lose anything: all goes back', async () => {
    await inLab(async (lab) => {
      const before = await shot(lab)
      const greedy = `use IO::Socket::IP; my $s = IO::Socket::IP->new(Proto => 'udp', LocalHost => '0.0.0.0', LocalPort => 53) or die; print "up\\n"; STDOUT->flush; sleep 60`
      const other = await lab.start('host', ['perl', '-e', greedy])
      await other.waitFor(/up/)
      const { exit, stderr } = await run(lab, raise)
      expect([exit, stderr]).toEqual([
        1,
        expect.stringMatching(/dnsmasq: .*in use; everything was put back\n$/),
      ])
      expect(await servers(lab)).toEqual([])
      expect(diffSnapshots(before, await shot(lab))).toEqual([])
    })
  })
})

test.each([
  [
    '--dhcp-range 192.168.1.100,192.168.1.200',
    /br0 has an uplink, and a second DHCP server on a LAN would harm it/,
  ],
  ['--no-uplink --address 192.168.30.1/24 --dhcp-range 192.168.31.5,192.168.31.9', /is in no subnet of it/],
  [
    '--nat --address 192.168.30.1/24 --address fd30::1/56 --dhcp-range 192.168.30.5,192.168.30.9',
    /fd30::\/56 is no \/64/,
  ],
  [
    '--no-uplink --address 192.168.30.1/24 --dhcp-range 192.168.30.1,192.168.30.9',
    /192\.168\.30\.1,192\.168\.30\.9 holds 192\.168\.30\.1, its own address/,
  ],
  [
    '--no-uplink --address 192.168.30.1/25 --dhcp-range 192.168.30.5,192.168.30.127',
    /192\.168\.30\.127 is the broadcast address of its subnet/,
  ],
])('%s is wrong usage', async (options, says) => {
  await inLab(async (lab) => {
    await expectEnding(lab, `brup br0 ${options}`, { exit: 2, kind: 'usage', says })
  })
})
