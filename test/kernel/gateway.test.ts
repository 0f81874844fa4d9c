import { describe, expect, test } from 'vitest'

import { muteRouter, startWith } from '../helpers/at-switch.ts'
import { bin, inLab, journals, linkOf, run } from '../helpers/tap.ts'
import type { Lab } from '../lab/lab.ts'
import { reachable } from '../lab/reachable.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'

/** The gateway check: who answered before the switch has to answer after it. No ping takes part. */

const gateways = { 4: '192.168.1.1', 6: 'fd01::1' } as const

const unmute = (lab: Lab): Promise<string> => lab.ok('router', ['nft', 'flush ruleset'])

async function expectUntouchedAfter(lab: Lab, before: string): Promise<void> {
  expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
  expect(await journals(lab)).toBe('')
  await unmute(lab)
  expect(await reachable(lab)).toEqual([])
}

describe('a gateway that stops answering at the switch', () => {
  test.each([4, 6] as const)('takes brup back, IPv%i', async (family) => {
    await inLab(async (lab) => {
      const before = await snapshot(lab)
      const raising = await startWith(lab, 'brup --check-gateway 2', { script: muteRouter[family] })
      const { exit } = await raising.exited
      const says = `the gateway ${gateways[family]} does not answer on br0; everything was put back`
      expect([exit, raising.stderr().split('\n').at(-2)]).toEqual([1, `brup: ${says}`])
      await expectUntouchedAfter(lab, before)
    })
  })

  test('and comes back in time, after the kernel gave up asking: brup stays', async () => {
    await inLab(async (lab) => {
      const script = `${muteRouter[4]}; ${muteRouter[6]}`
      const raising = await startWith(lab, 'brup --check-gateway 60', { script })
      const failed = ['sh', '-c', 'until ip neigh show dev br0 nud failed | grep -q .; do sleep 0.05; done']
      await lab.ok('host', failed)
      await unmute(lab)
      expect([(await raising.exited).exit, raising.stderr()]).toEqual([0, ''])
      expect((await linkOf(lab, 'eth0'))?.master).toBe('br0')
      expect(await reachable(lab)).toEqual([])
    })
  })

  test('is not noticed with --check-gateway 0', async () => {
    await inLab(async (lab) => {
      const script = `${muteRouter[4]}; ${muteRouter[6]}`
      const raising = await startWith(lab, 'brup --check-gateway 0', { script })
      expect([(await raising.exited).exit, raising.stderr()]).toEqual([0, ''])
    })
  })

  test('and is waited for until Ctrl-C: everything is taken back at once', async () => {
    await inLab(async (lab) => {
      const before = await snapshot(lab)
      const raising = await startWith(lab, 'brup --check-gateway 3600', { script: muteRouter[4] })
      const asked = [
        'sh',
        '-c',
        `until ip neigh show ${gateways[4]} dev br0 nud probe nud failed | grep -q .; do sleep 0.02; done`,
      ]
      await lab.ok('host', asked)
      raising.kill('SIGINT')
      expect((await raising.exited).exit).toBe(130)
      await expectUntouchedAfter(lab, before)
    })
  })
})

test('a gateway that never echoes, with echo filtered everywhere, keeps the change', async () => {
  await inLab(async (lab) => {
    const echo = ['icmp type { echo-request, echo-reply }', 'icmpv6 type { echo-request, echo-reply }']
    const rules = ['input', 'output', 'forward'].flatMap((hook) =>
      echo.map(
        (rule) =>
          `add chain inet deaf ${hook} { type filter hook ${hook} priority 0; }; add rule inet deaf ${hook} ${rule} drop`,
      ),
    )
    for (const node of ['router', 'outside'] as const)
      await lab.ok(node, ['nft', '-f', '-'], { input: `add table inet deaf\n${rules.join('\n')}\n` })
    expect(await reachable(lab)).toHaveLength(4)
    expect(await run(lab, 'brup')).toMatchObject({ exit: 0, stderr: '' })
    expect((await linkOf(lab, 'eth0'))?.master).toBe('br0')
    await unmute(lab)
    await lab.ok('outside', ['nft', 'flush ruleset'])
    expect(await reachable(lab)).toEqual([])
  })
})

const silence = (address: string): string =>
  `brup: the gateway ${address} does not answer on eth0 now; that is not held against the change\n`

/** Default routes of every kind, each by a gateway of its own that is not there. */
const routes = [
  'route add default via 192.168.1.71 dev eth0 table 100',
  'route add default via 192.168.1.72 dev eth0 metric 50',
  'nexthop add id 73 via 192.168.1.73 dev eth0',
  'nexthop add id 74 via 192.168.1.74 dev eth0',
  'nexthop add id 75 via 192.168.1.75 dev eth0',
  'nexthop add id 76 group 74/75',
  'route add default nhid 73 metric 60',
  'route add default nhid 76 metric 61',
  'route add default metric 70 nexthop via 192.168.1.77 dev eth0 nexthop via 192.168.1.78 dev eth0',
  'route add default metric 71 via inet6 fd01::79 dev eth0',
  'route add ::/0 via fd01::81 dev eth0 table 100',
  'route add ::/0 metric 90 nexthop via fd01::82 dev eth0 nexthop via fd01::83 dev eth0',
  'nexthop add id 84 via fd01::84 dev eth0',
  'route add ::/0 nhid 84 metric 91',
  'route add 10.0.0.0/8 via 192.168.1.99 dev eth0',
]
const absent = [71, 72, 73, 74, 75, 77, 78].map((n) => `192.168.1.${n}`)
const absent6 = [79, 81, 82, 83, 84].map((n) => `fd01::${n}`)

describe('a gateway that does not answer before', () => {
  test('is named and not held against brup, whatever the route', async () => {
    await inLab(async (lab) => {
      await lab.ip('host', routes)
      const { exit, stderr } = await run(lab, 'brup')
      const lines = stderr.split(/(?<=\n)/)
      expect([exit, lines.sort()]).toEqual([0, [...absent, ...absent6].map(silence).sort()])
      expect((await linkOf(lab, 'eth0'))?.master).toBe('br0')
    })
  })

  test('says nothing with --quiet', async () => {
    await inLab(async (lab) => {
      await lab.ip('host', routes.slice(0, 1))
      expect(await run(lab, 'brup --quiet')).toEqual({ exit: 0, stdout: '', stderr: '' })
    })
  })

  test('does not cover up for the one that answered', async () => {
    await inLab(async (lab) => {
      await lab.ip('host', routes.slice(0, 1))
      const before = await snapshot(lab)
      const raising = await startWith(lab, 'brup --check-gateway 1', { script: muteRouter[4] })
      expect((await raising.exited).exit).toBe(1)
      expect(raising.stderr()).toContain(`the gateway ${gateways[4]} does not answer on br0; everything`)
      await expectUntouchedAfter(lab, before)
    })
  })
})

test('a permanent entry is neither asked nor touched', async () => {
  await inLab(async (lab) => {
    const entries = [4, 6].map(
      (family) =>
        `neigh replace ${gateways[family as 4 | 6]} lladdr 02:00:00:00:01:01 dev eth0 nud permanent`,
    )
    await lab.ip('host', entries)
    const before = await snapshot(lab)
    const raising = await startWith(lab, 'brup', { script: `${muteRouter[4]}; ${muteRouter[6]}` })
    expect([(await raising.exited).exit, raising.stderr()]).toEqual([0, ''])
    const permanent = await lab.ok('host', ['ip', 'neigh', 'show', 'dev', 'br0', 'nud', 'permanent'])
    for (const address of Object.values(gateways)) expect(permanent).toContain(`${address} lladdr`)
    await lab.ok('host', [bin('brdown')])
    await expectUntouchedAfter(lab, before)
  })
})

test('a gateway whose entry needs no ARP is not asked', async () => {
  await inLab(async (lab) => {
    const entry = `${gateways[4]} lladdr 02:00:00:00:01:01`
    await lab.ip('host', `neigh replace ${entry} dev eth0 nud noarp`)
    const raising = await startWith(lab, 'brup', { script: muteRouter[4] })
    expect([(await raising.exited).exit, raising.stderr()]).toEqual([0, ''])
  })
})
