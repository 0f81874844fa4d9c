import { describe, expect, test } from 'vitest'

import type { Lab } from '../lab/lab.ts'
import { reachable } from '../lab/reachable.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'
import { expectEnding } from '../helpers/refused.ts'
import { holdTap, inLab, linkOf, ok } from '../helpers/tap.ts'

/** A bridge that the user made, without addresses: brup takes it as it is, brdown leaves it as it was found. */

// What having had a port leaves on a bridge, whoever gave it one: a queue, the offloads of its ports, an id of its own,
// and without a MAC of its own it had carrier while it had never had a port.
const traces = [
  / qdisc \w+/,
  / tso_max_size \d+/,
  / bridge_id \S+ designated_root \S+/,
  /NO-CARRIER,/,
  /,LOWER_UP/,
  / state \w+/,
  / linkdown/,
  / tentative/,
]

const asFound = (text: string): string =>
  text
    .split('\n')
    .filter((line) => !/^local fe80\S+ dev br0 table local/.test(line))
    .map((line) =>
      /\bbr0\b/.test(line) ? traces.reduce((words, trace) => words.replace(trace, ''), line) : line,
    )
    .join('\n')

const settled = (lab: Lab): Promise<string> =>
  lab.ok('host', ['sh', '-c', 'while [ -n "$(ip -6 addr show tentative)" ]; do sleep 0.02; done'])

describe('is adopted and left as it was found', () => {
  const made = {
    down: ['link add br0 type bridge'],
    up: ['link add br0 type bridge', 'link set br0 up'],
    'with a MAC and an MTU': [
      'link add br0 address 02:77:00:00:00:01 type bridge',
      'link set br0 mtu 1400 up',
    ],
    'with a name of its own and settings': [
      'link add br0 type bridge ageing_time 10000 forward_delay 400 mcast_snooping 0 priority 100',
      'link set br0 alias mine',
    ],
    'with a tap that nobody holds': [
      'link add br0 type bridge',
      'tuntap add tap7 mode tap',
      'link set tap7 master br0',
    ],
  }
  test.each(Object.entries(made))('%s', async (what, lines) => {
    await inLab(async (lab) => {
      await lab.ip('host', lines)
      if (what === 'up') await settled(lab)
      const before = asFound(await snapshot(lab))
      const alias = (await linkOf(lab, 'br0'))?.ifalias
      await ok(lab, 'brup')
      expect((await linkOf(lab, 'eth0'))?.master).toBe('br0')
      expect(await reachable(lab)).toEqual([])
      expect((await linkOf(lab, 'br0'))?.ifalias).toBe(alias)
      await ok(lab, 'brdown')
      expect(diffSnapshots(before, asFound(await snapshot(lab)))).toEqual([])
      expect(await reachable(lab)).toEqual([])
    })
  })

  // The bridge goes down and stays: the kernel keeps these (fib_sync_down_dev()).
  test.each([
    'route add local 10.44.0.0/24 dev eth0',
    'route add 10.9.1.0/24 nexthop via 192.168.1.254 nexthop via 192.168.2.254',
    'route add 2001:db8:9::/48 nexthop via fd01::fe nexthop via fd02::fe',
  ])('with: ip %s', async (line) => {
    await inLab(
      async (lab) => {
        await lab.ip('host', ['link add br0 type bridge', line])
        const before = asFound(await snapshot(lab))
        await ok(lab, 'brup')
        await ok(lab, 'brdown')
        expect(diffSnapshots(before, asFound(await snapshot(lab)))).toEqual([])
        expect(await reachable(lab)).toEqual([])
      },
      { secondUplink: { metric: 2000 } },
    )
  })
})

test('its own port is no guest, another tap is', async () => {
  await inLab(async (lab) => {
    await lab.ip('host', ['link add br0 type bridge', 'tuntap add tap7 mode tap', 'link set tap7 master br0'])
    await ok(lab, 'brup')
    const { pid } = await holdTap(lab, 'tap0')
    await ok(lab, 'qemu-ifup tap0')
    const says = 'brdown: br0 still has guests (end them, or take their taps away with --force)'
    await expectEnding(lab, 'brdown', { says: `${says}\n  tap0: held by pid ${pid} (perl)` })
    await ok(lab, 'brdown --force')
    expect([(await linkOf(lab, 'tap7'))?.master, (await linkOf(lab, 'tap0'))?.master]).toEqual([
      'br0',
      undefined,
    ])
  })
})

test('is refused with the spanning tree protocol, which holds a new port back for half a minute', async () => {
  await inLab(async (lab) => {
    await lab.ip('host', ['link add br0 type bridge stp_state 1', 'link set br0 up'])
    await settled(lab)
    await expectEnding(lab, 'brup', { says: /^brup: br0 has STP on.* \(.+\)\n$/ })
  })
})

test('is not ours to lower, nor to remove, before brup', async () => {
  await inLab(async (lab) => {
    await lab.ip('host', 'link add br0 type bridge')
    await expectEnding(lab, 'brdown', {
      says: 'brdown: br0 was not raised by brup (if it is yours: ip link del br0)',
    })
  })
})
