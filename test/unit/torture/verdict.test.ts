import { describe, expect, test } from 'vitest'

import { caseOf, type Move } from '../../../dev/torture/cases.ts'
import { faultName, type Fault } from '../../../dev/torture/fault.ts'
import { judgeHook, judgeNext, judgeOutages, placesAfter, strayed } from '../../../dev/torture/verdict.ts'

/** What the fault campaign takes for lost. */

const move: Move = { from: 'lowered', line: 'brup', to: 'raised', guests: false, hook: undefined }
const refused: Fault = { kind: 'line', how: 'refuse', part: 0 }
const killed: Fault = {
  kind: 'act',
  when: { at: 'line', part: 0, hold: false },
  act: { kind: 'kill', victim: 'command' },
}
const rude: Fault = {
  kind: 'act',
  when: { at: 'line', part: 0, hold: false },
  act: { kind: 'rude', what: 'delete' },
}

const left = 'route: - default via 192.168.1.1 dev eth0'
const ending = (exit: number, stderr: string, differences: readonly string[]) =>
  ({ line: 'brdown', exit, stderr, left: { lowered: differences, raised: ['link: - br0: <UP>'] } }) as const

test.each([
  [0, '', refused, ['raised']],
  [1, '', refused, ['lowered']],
  [137, '', refused, ['lowered']],
  [137, '', killed, ['lowered', 'raised']],
  [130, '', killed, ['lowered']],
  [130, 'br0 is up\n', refused, ['raised']],
  [1, 'br0 is up\n', refused, ['lowered']],
] as const)(
  'after exit %i, having said %j, the network may be where it should',
  (exit, stdout, fault, places) => {
    expect(placesAfter({ exit, stdout }, { move, fault })).toEqual(places)
  },
)

describe('a difference is lost', () => {
  test.each([
    ['with exit 1, said or not', 1, '  missing: route default via 192.168.1.1 dev eth0\n', 1],
    ['with exit 4 that does not name it', 4, '  missing: route 10.0.0.0/8 dev eth0\n', 1],
    ['unless exit 4 names it', 4, '  missing: route default via 192.168.1.1 dev eth0\n', 0],
  ] as const)('%s', (_, exit, stderr, count) => {
    expect(strayed(ending(exit, stderr, [left]), ['lowered'])).toHaveLength(count)
  })

  test.each([
    ['address: + eth0 inet 192.168.1.50/24 scope global eth0', 'too much: address 192.168.1.50/24 dev eth0'],
    ['address: + br0 inet 192.168.1.50/24 scope global br0', 'too much: link br0'],
    ['link: + eth0@peer: <UP> master br0', 'different: link eth0 master is br0, should be none'],
    ['rule: - 50: from all oif eth0 lookup 100', 'missing: IPv4 rule oif eth0 table 100 priority 50'],
    ['sysctl: + ipv6/conf/eth0/accept_dad:0', 'different: net.ipv6.conf.eth0.accept_dad = 1 is 0'],
    [
      'route6: - default via fd01::1 dev eth0 metric 1024',
      'missing: route ::/0 via fd01::1 dev eth0 metric 1024',
    ],
    ['route: + default via 192.168.1.1 dev eth0', 'too much: route unicast 0.0.0.0/0 table main dev eth0'],
    ['nexthop: - id 1 via 192.168.1.1 dev eth0', 'missing: nexthop id 1 via 192.168.1.1 dev eth0'],
    ['neighbour: - 192.168.1.9 dev eth0 lladdr 02::9', 'missing: neighbour 192.168.1.9 dev eth0'],
  ])('%s is named by: %s', (difference, line) => {
    expect(strayed(ending(4, `  ${line}\n`, [difference]), ['lowered'])).toEqual([])
    expect(strayed(ending(4, '  missing: link eth7\n', [difference]), ['lowered'])).toHaveLength(1)
  })

  test('of the nearest place that is allowed', () => {
    expect(strayed(ending(137, '', []), ['lowered', 'raised'])).toEqual([])
    expect(strayed(ending(137, '', [left, left]), ['lowered', 'raised'])).toHaveLength(1)
  })
})

test.each([
  [0, refused, false, 0],
  [1, refused, false, 1],
  [4, refused, false, 1],
  [4, rude, false, 0],
  [3, refused, true, 0],
  [3, refused, false, 1],
] as const)('a next command that ends with %i', (exit, fault, isAdopted, count) => {
  expect(judgeNext(ending(exit, '', []), fault, isAdopted)).toHaveLength(count)
})

test.each([
  ['qemu-ifup tap0', 0, 'br0', false, 0],
  ['qemu-ifup tap0', 0, undefined, false, 1],
  ['qemu-ifup tap0', 0, undefined, true, 0],
  ['qemu-ifup tap0', 3, 'br0', false, 1],
  ['qemu-ifup tap0', 3, undefined, false, 0],
  ['qemu-ifdown tap0', 0, 'br0', false, 0],
] as const)('%s ended with %i on %s', (line, exit, master, isForced, count) => {
  expect(judgeHook({ line, exit, stderr: '', master }, isForced)).toHaveLength(count)
})

test('two seconds of silence are an outage', () => {
  expect(judgeOutages({ 4: 2000, 6: 2001 })).toEqual(['IPv6 was silent for 2001 ms'])
})

test('a seed gives the same cases every time, and another one others', () => {
  const names = (seed: number): readonly string[] =>
    Array.from({ length: 200 }, (_, index) => JSON.stringify(caseOf(seed, index + 1)))
  expect(names(7)).toEqual(names(7))
  expect(new Set(names(7).concat(names(8))).size).toBeGreaterThan(390)
  const kinds = new Set(names(7).map((text) => faultName((JSON.parse(text) as { fault: Fault }).fault)))
  expect(kinds.size).toBeGreaterThan(25)
})
