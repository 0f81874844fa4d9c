import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'

import { breakCall, brokenCall } from '../helpers/broken-calls.ts'
import { clients } from '../helpers/dhcp-host.ts'
import { faultyIp } from '../helpers/faults.ts'
import { dhcpClient, dhcpServer } from '../helpers/managers.ts'
import { inMountsOf, overlay } from '../helpers/mounts.ts'
import {
  countLookups,
  inResolvingLab,
  isFound,
  resolvectl,
  scopesOf,
  toldOf,
  type Resolving,
} from '../helpers/resolved.ts'
import { savedFolder } from '../../src/resolved-words.ts'
import { journals, linkOf, ok, run, until } from '../helpers/tap.ts'
import { watchdogs } from '../helpers/watchdog.ts'
import type { Lab } from '../lab/lab.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'
import { flow } from '../lab/traffic.ts'

/** What systemd-resolved was told of the uplink goes with the host to the bridge, and back. */

const servers = 'dns eth0 192.168.1.1 fd01::1'
const plain = [servers]
const all = [
  servers,
  'domain eth0 ~. corp.test ~lab.test',
  'default-route eth0 yes',
  'llmnr eth0 resolve',
  'mdns eth0 resolve',
  'dnssec eth0 allow-downgrade',
  'dnsovertls eth0 no',
  'nta eth0 b.test a.test',
]

const isUntold = async (lab: Lab, dev: string): Promise<boolean> =>
  (await toldOf(lab, dev)).startsWith('none\n')

/** All that is to be as before. */
const sight = async (lab: Lab): Promise<string> => `${await toldOf(lab, 'eth0')}\n${await snapshot(lab)}`

describe.each([
  ['servers alone', plain],
  ['all that it can be told', all],
  ['servers for some domains only', [servers, 'default-route eth0 no', 'domain eth0 ~host.test']],
  ['no LLMNR', [servers, 'llmnr eth0 no', 'mdns eth0 yes']],
])('%s', (_, lines) => {
  test('are told of the bridge, none of the uplink, and afterwards the same as before', async () => {
    await inResolvingLab(lines, async ({ lab }) => {
      const [before, network, scopes] = [
        await toldOf(lab, 'eth0'),
        await snapshot(lab),
        await scopesOf(lab, 'eth0'),
      ]
      expect(await isFound(lab)).toBe(true)
      await ok(lab, 'brup')
      expect(await toldOf(lab, 'br0')).toBe(before)
      expect(await isUntold(lab, 'eth0')).toBe(true)
      await until('it looks names up by the bridge', async () => (await scopesOf(lab, 'br0')) === scopes)
      expect(await isFound(lab)).toBe(true)
      expect(await ok(lab, 'brstatus')).not.toContain('drift')
      await ok(lab, 'brdown')
      expect(await toldOf(lab, 'eth0')).toBe(before)
      expect(await isFound(lab)).toBe(true)
      await until('it looks names up by the uplink', async () => (await scopesOf(lab, 'eth0')) === scopes)
      expect(diffSnapshots(network, await snapshot(lab))).toEqual([])
    })
  })
})

test('every name is found, before, during and after, and the host is as reachable as without', async () => {
  await inResolvingLab(plain, async ({ lab }) => {
    for (let round = 0; round < 4; round += 1) {
      const packets = await flow(lab, { rate: 2000 })
      const { asked, found, refused, said } = await countLookups(lab, async () => {
        await ok(lab, 'brup')
        await ok(lab, 'brdown')
      })
      const { lost, longestGap } = await packets.stop()
      console.log(`${said}${lost} packets lost, ${Math.round(longestGap)} ms`)
      expect(asked).toBeGreaterThan(50)
      expect([found, said]).toEqual([asked, said])
      // In the very millisecond in which the uplink leaves the bridge.
      expect([refused <= 1, said]).toEqual([true, said])
      // One question by ARP that nobody could answer, and the kernel is silent for up to a second.
      expect(longestGap).toBeLessThan(100)
    }
  })
})

test('where it was told nothing of the uplink, nothing is told, and it still looks names up by all its addresses', async () => {
  await inResolvingLab([], async ({ lab }) => {
    const scopes = await scopesOf(lab, 'eth0')
    expect(scopes).toBe('LLMNR/IPv4 LLMNR/IPv6')
    expect(await ok(lab, 'brup --dry-run')).not.toContain('resolvectl')
    await ok(lab, 'brup')
    expect(await isUntold(lab, 'br0')).toBe(true)
    expect(await ok(lab, 'brdown --dry-run')).not.toContain('resolvectl')
    await ok(lab, 'brdown')
    expect(await isUntold(lab, 'eth0')).toBe(true)
    await until('it has heard of all addresses', async () => (await scopesOf(lab, 'eth0')) === scopes)
  })
})

test('where it is not running, nothing is told', async () => {
  await inResolvingLab(plain, async ({ lab, resolved }) => {
    const before = await snapshot(lab)
    resolved.kill('SIGKILL')
    await resolved.exited
    expect(await ok(lab, 'brup --dry-run')).not.toContain('resolvectl')
    await ok(lab, 'brup')
    await ok(lab, 'brdown')
    expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
  })
})

test('what --dry-run prints tells it the same', async () => {
  await inResolvingLab(all, async ({ lab }) => {
    const before = await sight(lab)
    const up = await ok(lab, 'brup --dry-run')
    await ok(lab, 'brup')
    const raised = await toldOf(lab, 'br0')
    const down = await ok(lab, 'brdown --dry-run')
    await lab.ok('host', ['sh', '-e'], { input: down })
    expect(await sight(lab)).toBe(before)
    await lab.ok('host', ['sh', '-e'], { input: up })
    expect(await toldOf(lab, 'br0')).toBe(raised)
    expect(await isUntold(lab, 'eth0')).toBe(true)
    expect(await isFound(lab)).toBe(true)
  })
})

test('a bridge that was there keeps its own servers behind those that come, and has them alone afterwards', async () => {
  await inResolvingLab(all, async ({ lab }) => {
    await lab.ip('host', 'link add br0 type bridge')
    for (const line of ['dns br0 192.0.2.53', 'domain br0 ~own.test']) await resolvectl(lab, line)
    const before = [await toldOf(lab, 'eth0'), await toldOf(lab, 'br0')]
    await ok(lab, 'brup')
    expect(await toldOf(lab, 'br0')).toContain(
      'dns: 192.168.1.1 fd01::1 192.0.2.53\ndomain: ~. corp.test ~lab.test ~own.test\n',
    )
    expect(await isUntold(lab, 'eth0')).toBe(true)
    await ok(lab, 'brdown')
    expect([await toldOf(lab, 'eth0'), await toldOf(lab, 'br0')]).toEqual(before)
    expect(await isFound(lab)).toBe(true)
  })
})

test('a bridge that was deleted is told anew', async () => {
  await inResolvingLab(all, async ({ lab }) => {
    await ok(lab, 'brup')
    const raised = await toldOf(lab, 'br0')
    await lab.ip('host', 'link del br0')
    await ok(lab, 'brup')
    expect(await toldOf(lab, 'br0')).toBe(raised)
    await until('it looks names up by the bridge', () => isFound(lab))
  })
})

// What Debian's resolvconf, or a script of one's own, makes of a lease.
const hook = `make_resolv_conf() {
  resolvectl dns "$interface" $new_domain_name_servers
  resolvectl domain "$interface" "$new_domain_name"
}
`

test('the hook of a DHCP client tells the same of the bridge, and nobody takes that for a fault', async () => {
  const work = async ({ lab }: Resolving): Promise<void> => {
    await lab.ok('host', ['mkdir', '/run/hooks'])
    await lab.ok('host', ['tee', '/run/hooks/resolved'], { input: hook })
    await inMountsOf(lab, overlay('/run/hooks', '/etc/dhcp/dhclient-enter-hooks.d'))
    await lab.ip('host', 'link set eth0 up')
    await dhcpServer(lab, {
      time: '2m',
      options: ['option:dns-server,192.168.1.1', 'option:domain-name,host.test'],
    })
    await dhcpClient(lab, clients.dhclient.words)
    const isTold = async (dev: string): Promise<boolean> =>
      (await toldOf(lab, dev)).includes('dns: 192.168.1.1\ndomain: host.test\n')
    await until('it is told of the uplink', () => isTold('eth0'), 30)
    await ok(lab, 'brup')
    expect(await isTold('br0')).toBe(true)
    // Less than it was told, as a hook is free to do.
    await resolvectl(lab, 'domain br0 other.test')
    expect(await ok(lab, 'brstatus')).not.toContain('drift')
    await ok(lab, 'brdown')
    await until('its hook has told it of the uplink again', () => isTold('eth0'), 30)
    expect(await isFound(lab)).toBe(true)
  }
  await inResolvingLab([], work, { bare: true })
}, 90_000)

describe('what changes on the bridge', () => {
  test('goes back with the host, and the rest is as before', async () => {
    await inResolvingLab(all, async ({ lab }) => {
      const before = await toldOf(lab, 'eth0')
      await ok(lab, 'brup')
      await resolvectl(lab, 'dns br0 fd01::1 192.168.1.1')
      await resolvectl(lab, 'domain br0 new.test')
      await resolvectl(lab, 'default-route br0 no')
      expect(await ok(lab, 'brstatus')).not.toContain('drift')
      await ok(lab, 'brdown')
      const after = before
        .replace('DEFAULT_ROUTE=yes', 'DEFAULT_ROUTE=no')
        .replace('default-route: yes', 'default-route: no')
        .replaceAll('192.168.1.1 fd01::1', 'fd01::1 192.168.1.1')
        .replaceAll('~. corp.test ~lab.test', 'new.test')
      expect(await toldOf(lab, 'eth0')).toBe(after)
    })
  })

  test('is drift where it was lost, or told of the uplink again, and mended by the next brup', async () => {
    await inResolvingLab(all, async ({ lab }) => {
      const before = await toldOf(lab, 'eth0')
      await ok(lab, 'brup')
      await resolvectl(lab, 'revert br0')
      expect(await ok(lab, 'brstatus')).toContain('drift: missing: DNS settings of br0\n')
      expect((await run(lab, 'brup')).stderr).toContain('repaired: missing: DNS settings of br0\n')
      expect(await toldOf(lab, 'br0')).toBe(before)
      await lab.ok('host', ['resolvectl', 'domain', 'br0', ''])
      await resolvectl(lab, 'dns eth0 192.0.2.53')
      const { stderr } = await run(lab, 'brup')
      expect(stderr).toContain('repaired: missing: DNS setting domain ~. corp.test ~lab.test of br0\n')
      expect(stderr).toContain('repaired: too much: DNS settings of eth0\n')
      expect(await toldOf(lab, 'br0')).toBe(before)
      expect(await isUntold(lab, 'eth0')).toBe(true)
      await ok(lab, 'brdown')
      expect(await toldOf(lab, 'eth0')).toBe(before)
    })
  })
})

test('it may write its files again where brdown dies at the switch', async () => {
  await inResolvingLab(plain, async ({ lab }) => {
    const faulty = await faultyIp(lab)
    await ok(lab, 'brup')
    const before = await toldOf(lab, 'br0')
    const isWritable = async (): Promise<boolean> =>
      (await lab.ok('host', ['stat', '-c', '%A', savedFolder])).startsWith('drwx')
    const [prepare = ''] = (await ok(lab, 'brdown --dry-run')).split('# the switch')
    const at = prepare.split('\n').filter((line) => line.startsWith('ip ')).length + 2
    await faulty.run(['brdown'], { at, kind: 'signal', signal: 'KILL' })
    expect(faulty.hit()).toBe('link set dev eth0 nomaster')
    expect(await isWritable()).toBe(false)
    await ok(lab, 'brup')
    expect(await isWritable()).toBe(true)
    expect(await toldOf(lab, 'br0')).toBe(before)
    expect(await isUntold(lab, 'eth0')).toBe(true)
  })
})

test('it is told again what it forgets only after the switch, since it was busy', async () => {
  await inResolvingLab(all, async ({ lab, resolved }) => {
    const before = await sight(lab)
    await ok(lab, 'brup')
    // As long as it answers nobody, nobody who waits for it comes back.
    const faulty = await faultyIp(lab)
    const [prepare = ''] = (await ok(lab, 'brdown --dry-run')).split('# the switch')
    const at = prepare.split('\n').filter((line) => line.startsWith('ip ')).length + 2
    const brdown = await faulty.start(['brdown'], { at, kind: 'gate' })
    await until('it is at the switch', () => Promise.resolve(faulty.hit() !== ''))
    resolved.kill('SIGSTOP')
    faulty.open()
    await until('the bridge is gone', async () => (await linkOf(lab, 'br0')) === undefined)
    await delay(1000)
    resolved.kill('SIGCONT')
    expect(await brdown.exited).toMatchObject({ exit: 0 })
    expect(await sight(lab)).toBe(before)
    expect(await isFound(lab)).toBe(true)
  })
})

/** Nothing is under way any more, and nobody is left who could begin anything. */
const isQuiet = async (lab: Lab): Promise<boolean> =>
  !(await journals(lab)).includes('"pending"') && (await watchdogs(lab)).length === 0

describe.each([
  { command: 'brup', calls: [1, 8, 9] },
  { command: 'brdown', calls: [1, 8] },
] as const)('$command', ({ command, calls }) => {
  const faults = [
    ...calls.flatMap((at) => (['fail', 'kill'] as const).map((kind) => ({ kind, at }))),
    { kind: 'late', at: Math.max(...calls) } as const,
  ]

  test.each(faults)('puts back what it was told: $kind at resolvectl $at', async (fault) => {
    await inResolvingLab(all, async ({ lab }) => {
      if (command === 'brdown') await ok(lab, 'brup')
      const dev = command === 'brup' ? 'eth0' : 'br0'
      const before = [await toldOf(lab, dev), await snapshot(lab)]
      await breakCall(lab, 'resolvectl', fault)
      const { exit } = await run(lab, command)
      expect(await brokenCall(lab, 'resolvectl', fault)).toBeDefined()
      expect(exit).toBe(fault.kind === 'fail' ? 1 : 137)
      await until('it is taken back', () => isQuiet(lab), 20)
      expect([await toldOf(lab, dev), await snapshot(lab)]).toEqual(before)
      expect(await isFound(lab)).toBe(true)
      if (command === 'brdown') expect(await isUntold(lab, 'eth0')).toBe(true)
    })
  })

  test.each([
    { kind: 'refuse', part: 0.5 },
    { kind: 'refuse', part: 1 },
    { kind: 'signal', part: 0.7 },
    { kind: 'signal', part: 1 },
  ] as const)('puts back what it was told: $kind at $part of its lines for ip', async ({ kind, part }) => {
    await inResolvingLab(all, async ({ lab }) => {
      const faulty = await faultyIp(lab)
      const other = command === 'brup' ? 'brdown' : 'brup'
      if (command === 'brdown') await ok(lab, 'brup')
      const dev = command === 'brup' ? 'eth0' : 'br0'
      const before = await toldOf(lab, dev)
      await faulty.run([command], { at: 1, kind: 'none' })
      const at = Math.ceil(part * faulty.calls().reduce((sum, lines) => sum + lines, 0))
      await ok(lab, other)
      await faulty.run([command], kind === 'signal' ? { at, kind, signal: 'KILL' } : { at, kind })
      expect(faulty.hit()).not.toBe('')
      // The watchdog died with it: the next command takes it back first.
      if (kind === 'signal') await ok(lab, other)
      expect(await toldOf(lab, dev)).toBe(before)
      expect((await linkOf(lab, 'br0')) === undefined).toBe(command === 'brup')
      expect(await isFound(lab)).toBe(true)
    })
  })
})
