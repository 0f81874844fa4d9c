import { describe, expect, test } from 'vitest'

import { diffSnapshots, snapshot } from '../lab/snapshot.ts'
import { tool } from '../lab/tools.ts'
import { expectEnding } from '../helpers/refused.ts'
import { bin, inLab, run } from '../helpers/tap.ts'

/** What brup refuses, on a real kernel: exit 3, the reason and the way out, and nothing changed. */

const otherLink = '(give another link with --uplink)'
const otherBridge = '(it belongs to somebody else; give brup the name of another bridge)'

interface Case {
  readonly what: string
  /** Lines for `ip -batch`. */
  readonly given: readonly string[]
  readonly line?: string
  readonly says: string
}

const uplinks: readonly Case[] = [
  {
    what: 'no default route',
    given: ['route del default', 'route del ::/0'],
    says: 'no uplink found: there is no default route (give --uplink IF, or --no-uplink)',
  },
  {
    what: 'nothing but a blackhole as default route',
    given: ['route del default', 'route del ::/0', 'route add blackhole default'],
    says: 'no uplink found: there is no default route (give --uplink IF, or --no-uplink)',
  },
  {
    what: 'an unknown uplink',
    given: [],
    line: 'brup --uplink eth7',
    says: 'there is no link eth7 (give --uplink IF; `ip link` shows what there is)',
  },
  { what: 'loopback', given: [], line: 'brup --uplink lo', says: `lo is the loopback link ${otherLink}` },
  {
    what: 'an uplink that is to be the bridge too',
    given: [],
    line: 'brup eth0',
    says: `eth0 cannot be its own uplink ${otherLink}`,
  },
  {
    what: 'the port of a bridge',
    given: ['link add br7 type bridge', 'link set eth0 master br7'],
    says: 'eth0 is already a port of br7 (run brdown br7 first, or take it out of br7)',
  },
  {
    what: 'the port of a bridge that it is to join',
    given: ['link add br0 type bridge', 'link set eth0 master br0'],
    says: 'eth0 is already a port of br0 (run brdown br0 first, or take it out of br0)',
  },
  {
    what: 'a bridge',
    given: ['link add br7 type bridge', 'link set br7 up'],
    line: 'brup --uplink br7',
    says: `br7 is a bridge itself ${otherLink}`,
  },
  {
    what: 'a tap',
    given: ['tuntap add tap7 mode tap', 'link set tap7 up'],
    line: 'brup --uplink tap7',
    says: `tap7 is a tap device, a guest's end ${otherLink}`,
  },
  {
    what: 'a tun',
    given: ['tuntap add tun7 mode tun', 'link set tun7 up'],
    line: 'brup --uplink tun7',
    says: `tun7 is a tun device, a guest's end ${otherLink}`,
  },
  {
    what: 'a link that is down',
    given: ['link add v0 type veth peer name v1'],
    line: 'brup --uplink v0',
    says: 'v0 is down (ip link set v0 up)',
  },
  {
    what: 'a macvlan on it',
    given: ['link add mv0 link eth0 type macvlan'],
    says: 'eth0 carries the macvlan mv0 (ip link del mv0)',
  },
  {
    what: 'a macvtap on it',
    given: ['link add mt0 link eth0 type macvtap'],
    says: 'eth0 carries the macvtap mt0 (ip link del mt0)',
  },
  {
    what: 'a vxlan bound to it',
    given: ['link add vx0 type vxlan id 5 dev eth0 dstport 4789'],
    says: 'the vxlan vx0 is bound to eth0 and would lose its footing (make it without dev eth0, or remove it: ip link del vx0)',
  },
]

const bridges: readonly Case[] = [
  {
    what: 'a bridge name that something else has',
    given: ['link add br0 type ifb'],
    says: 'br0 exists and is no bridge (give brup the name of another bridge)',
  },
  {
    what: 'a bridge with an address (virbr0)',
    given: ['link add virbr0 type bridge', 'addr add 192.168.122.1/24 dev virbr0', 'link set virbr0 up'],
    line: 'brup virbr0',
    says: `virbr0 was not made by brup and has addresses (192.168.122.1) ${otherBridge}`,
  },
  {
    what: 'a bridge with an IPv6 address, down',
    given: ['link add br0 type bridge', 'addr add fd77::1/64 dev br0'],
    says: `br0 was not made by brup and has addresses (fd77::1) ${otherBridge}`,
  },
  {
    what: 'a bridge that another port gives carrier',
    given: [
      'link add br0 type bridge',
      'link add v0 type veth peer name v1',
      'link set v0 master br0',
      'link set v0 up',
      'link set v1 up',
      'link set br0 up',
    ],
    says: 'br0 has carrier by its port v0, so its routes would win before the switch (ip link set v0 nomaster, or give brup the name of another bridge)',
  },
]

// The kernel tells of carrier, and gives link-local addresses, a moment later: three equal looks in a row.
const carrierSettled = `look() { ip -br link; ip -br addr; ip -6 route show table all; }
rising() { ip -br link show type bridge | grep -q UNKNOWN && ip -br link show type bridge_slave | grep -q LOWER_UP; }
same=0; last=
while [ $same -lt 3 ]; do
  sleep 0.1; now=$(look)
  if [ "$now" = "$last" ] && ! rising; then same=$((same + 1)); else same=0; fi
  last=$now
done`

describe('brup refuses', () => {
  test.each([...uplinks, ...bridges])('$what', async ({ given, line = 'brup', says }) => {
    await inLab(async (lab) => {
      // Nor do new links look for duplicates: that would end at some moment of the next two seconds.
      await lab.ok('host', ['sysctl', '-qw', 'net.ipv6.conf.default.accept_dad=0'])
      if (given.length > 0) await lab.ip('host', given)
      await lab.ok('host', ['sh', '-c', carrierSettled])
      await expectEnding(lab, line, { says: `brup: ${says}` })
    })
  })

  test('a duplicate address', async () => {
    await inLab(async (lab) => {
      await lab.ip('host', 'addr add fd01::1/64 dev eth0')
      const failed = 'until ip -6 addr show dev eth0 dadfailed | grep -q fd01::1; do sleep 0.05; done'
      await lab.ok('host', ['timeout', '20', 'sh', '-c', failed])
      const says = 'brup: fd01::1 on eth0 is a duplicate (dadfailed) (ip addr del fd01::1/64 dev eth0)'
      await expectEnding(lab, 'brup', { says })
    })
  })
})

describe('without the right to change the network', () => {
  const powerless = [
    ['an ordinary user', ['--reuid=65534', '--regid=65534', '--clear-groups']],
    ['root without CAP_NET_ADMIN', ['--bounding-set=-net_admin', '--inh-caps=-net_admin']],
  ] as const

  describe.each(powerless)('as %s', (_, options) => {
    const through = [tool('setpriv'), ...options]

    test.each(['brup', 'brdown'])('%s is refused', async (name) => {
      await inLab(async (lab) => {
        const says = `${name}: this needs root, or CAP_NET_ADMIN in this network namespace (sudo ${name})`
        await expectEnding(lab, name, { says, through })
      })
    })

    test('a dry run and brstatus work', async () => {
      await inLab(async (lab) => {
        const before = await snapshot(lab)
        expect(await lab.ok('host', [...through, bin('brup'), '--dry-run'])).toContain(' master br0')
        expect(await lab.ok('host', [...through, bin('brstatus')])).toBe('br0: not there\n')
        expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
      })
    })
  })
})

test('a macvlan that lives in another namespace is found out by the kernel, and all is put back', async () => {
  await inLab(async (lab) => {
    await lab.ip('host', ['link add mv0 link eth0 type macvlan', 'link set mv0 netns router'])
    const before = await snapshot(lab)
    const { exit, stderr } = await run(lab, 'brup')
    expect(exit, stderr).toBe(1)
    expect(stderr).toMatch(/busy.*; everything was put back/)
    expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
  })
})
