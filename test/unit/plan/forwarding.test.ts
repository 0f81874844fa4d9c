import { describe, expect, test } from 'vitest'

import {
  compareForwarding,
  convergeForwarding,
  forwardingFor,
  forwardingWithout,
  sinceSwitched,
} from '../../../src/plan/forwarding.ts'
import { stepCommand } from '../../../src/report/script.ts'
import type { Family } from '../../../src/names.ts'
import type { Sysctl } from '../../../src/state.ts'

const setting = (family: Family, dev: string, value: string, key = 'forwarding'): Sysctl => ({
  family,
  dev,
  key,
  value,
})

/** A host that forwards nothing and hears routers on eth0. */
const plain: readonly Sysctl[] = [
  setting(4, 'all', '1', 'accept_redirects'),
  ...(['all', 'default', 'lo', 'eth0', 'eth1'] as const).flatMap((dev) => [
    setting(4, dev, '0'),
    setting(6, dev, '0'),
  ]),
  setting(6, 'lo', '1', 'accept_ra'),
  setting(6, 'eth0', '1', 'accept_ra'),
  setting(6, 'eth1', '0', 'accept_ra'),
]

const lines = (from: readonly Sysctl[], to: readonly Sysctl[]): readonly string[] =>
  convergeForwarding(from, to).map((step) => stepCommand(step, 0).replace('sysctl -qw net/', ''))

/** What the kernel makes of one write. */
const written = (state: readonly Sysctl[], { family, dev, key, value }: Sysctl): readonly Sysctl[] =>
  state.map((item) => {
    if (item.family === family && item.dev === dev && item.key === key) return { ...item, value }
    if (dev !== 'all' || key !== 'forwarding' || item.family !== family) return item
    if (item.key === 'forwarding') return { ...item, value }
    return item.key === 'accept_redirects' ? { ...item, value: value === '1' ? '0' : '1' } : item
  })

const applied = (from: readonly Sysctl[], to: readonly Sysctl[]): readonly Sysctl[] =>
  convergeForwarding(from, to).reduce(
    (state, step) => (step.op === 'sysctl.set' ? written(state, step.sysctl) : state),
    from,
  )

describe('turning it on', () => {
  test('lets links that hear routers go on, first, and is one write a family', () => {
    expect(lines(plain, forwardingFor([4, 6], { bridge: 'br20', now: plain }))).toEqual([
      'ipv6/conf/eth0/accept_ra=2',
      'ipv4/conf/all/forwarding=1',
      'ipv6/conf/all/forwarding=1',
    ])
  })

  test('where it is on already is nothing', () => {
    const on = forwardingFor([4, 6], { bridge: 'br20', now: plain })
    expect(lines(on, forwardingFor([4, 6], { bridge: 'br20', now: on }))).toEqual([])
  })

  test('concerns the bridge in any case', () => {
    const now = [...forwardingFor([4], { bridge: 'br20', now: plain }), setting(4, 'br20', '0')]
    expect(lines(now, forwardingFor([4], { bridge: 'br20', now }))).toEqual(['ipv4/conf/br20/forwarding=1'])
  })
})

describe('turning it off', () => {
  const own = plain.map((item) =>
    item.dev === 'eth1' && item.key === 'forwarding' ? { ...item, value: '1' } : item,
  )
  const on = forwardingFor([4, 6], { bridge: 'br20', now: own })

  test('gives each link its own back', () => {
    expect(applied(own, on)).toEqual(on)
    expect(applied(on, forwardingWithout(own, on, []))).toEqual(own)
    expect(lines(on, forwardingWithout(own, on, []))).toEqual([
      'ipv4/conf/all/forwarding=0',
      'ipv6/conf/all/forwarding=0',
      'ipv4/conf/eth1/forwarding=1',
      'ipv6/conf/eth1/forwarding=1',
      'ipv6/conf/eth0/accept_ra=1',
    ])
  })

  test('leaves what others need, and what was not turned on here', () => {
    expect(lines(on, forwardingWithout(own, on, [4, 6]))).toEqual([])
    expect(lines(on, forwardingWithout([], on, []))).toEqual([])
    expect(lines(on, forwardingWithout(own, on, [6]))).toEqual([
      'ipv4/conf/all/forwarding=0',
      'ipv4/conf/eth1/forwarding=1',
    ])
  })

  test('a link that came since forwards as a new one did', () => {
    const now = [...on, setting(4, 'eth2', '1')]
    expect(applied(now, forwardingWithout(own, now, []))).toContainEqual(setting(4, 'eth2', '0'))
  })
})

test('a switch that is not as it should be stands for all its links', () => {
  const on = forwardingFor([4, 6], { bridge: 'br20', now: plain })
  expect(compareForwarding(plain, on)).toEqual([
    'different: net.ipv4.conf.all.forwarding is 0, should be 1',
    'different: net.ipv6.conf.all.forwarding is 0, should be 1',
  ])
  const now = on.map((item) =>
    item.dev === 'eth0' && item.key === 'accept_ra' ? { ...item, value: '1' } : item,
  )
  expect(compareForwarding(now, on)).toEqual(['different: net.ipv6.conf.eth0.accept_ra is 1, should be 2'])
})

describe('settings of another time', () => {
  const on = forwardingFor([4, 6], { bridge: 'br20', now: plain })
  const [then, now] = [{ sysctls: plain }, { sysctls: on }]
  const of = (state: readonly Sysctl[], dev: string): readonly Sysctl[] =>
    state.filter((item) => item.dev === dev)

  test('are as they were where nothing was switched since', () => {
    const changed = { sysctls: plain.map((item) => (item.dev === 'eth0' ? { ...item, value: '7' } : item)) }
    expect(sinceSwitched(of(plain, 'eth0'), { then, now: changed })).toEqual(of(plain, 'eth0'))
  })

  test('are as they are now where it was, both ways', () => {
    expect(sinceSwitched(of(plain, 'eth0'), { then, now })).toEqual(of(on, 'eth0'))
    expect(sinceSwitched(of(on, 'eth0'), { then: now, now: then })).toEqual(of(plain, 'eth0'))
  })

  test('are those of a new link where there is none now', () => {
    const gone = { sysctls: on.filter(({ dev }) => dev !== 'eth0') }
    expect(sinceSwitched(of(plain, 'eth0'), { then, now: gone })).toEqual(of(on, 'eth0'))
  })
})
