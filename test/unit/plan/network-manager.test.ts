import { describe, expect, test } from 'vitest'

import {
  advertisedAgain,
  compareManager,
  convergeManager,
  lasting,
  managerOnBridge,
  readyManager,
} from '../../../src/plan/network-manager.ts'
import { ownClient } from '../../../src/plan/own-client.ts'
import type { NetworkManager } from '../../../src/owner-state.ts'
import type { NetworkState } from '../../../src/state.ts'
import { address, plainHost } from '../../helpers/state.ts'

const sides = { uplink: 'eth0', bridge: 'br0' }
const before: NetworkManager = {
  uplink: { managed: true, autoconnect: true, profile: 'wired' },
  told: undefined,
}
const resolver = { servers: ['192.168.1.1', 'fd01::1'], searches: ['example.test'] }
const after = managerOnBridge(before, { sides, id: '0123456789', resolver })

const state = (manager: NetworkManager | undefined, on = 'eth0'): NetworkState => ({
  ...plainHost(),
  addresses: [address('192.168.1.50/24', on)],
  manager,
})

const opsOf = (from: NetworkState, to: NetworkState): readonly string[] => {
  const { first, release, up, last } = convergeManager(from, to, sides)
  return [...first, ...release, ...up, ...last].map(({ op }) => op)
}

describe('what it is told', () => {
  test('keeps it from both links, and its name servers', () => {
    expect(after?.uplink).toEqual({ managed: false, autoconnect: true, profile: undefined })
    expect(after?.told?.split('\n')).toEqual([
      '# Made by brup for br0; brdown takes it away.',
      '[keyfile]',
      'unmanaged-devices+=interface-name:=br0;interface-name:=qth0123456789',
      '[device-qemu-tap-hooks-br0]',
      'match-device=interface-name:=eth0',
      'managed=0',
      '[global-dns]',
      'searches=example.test',
      '[global-dns-domain-*]',
      'servers=192.168.1.1,fd01::1',
      '',
    ])
  })

  test('is nothing where it does not run, or has let go already', () => {
    for (const uplink of [undefined, { managed: false, autoconnect: true, profile: undefined }]) {
      const manager = { uplink, told: undefined }
      expect(managerOnBridge(manager, { sides, id: '0123456789', resolver })).toEqual(manager)
    }
  })
})

describe('the way', () => {
  test('up: told before the switch, and the uplink let go after it', () => {
    const ready = readyManager(before, after)
    expect(opsOf(state(before), state(ready))).toEqual(['nm.tell'])
    expect(opsOf(state(ready), state(after))).toEqual(['nm.release'])
  })

  test('down: forgotten before the switch, and the profile brought up after it', () => {
    const ready = readyManager(after, before)
    expect(opsOf(state(after, 'br0'), state(ready))).toEqual(['nm.forget'])
    expect(opsOf(state(ready), state(before))).toEqual(['nm.up', 'nm.tell'])
  })

  test('down: nothing is forgotten where that would take off what is there', () => {
    expect(opsOf(state(after, 'eth0'), state(readyManager(after, before)))).toEqual([])
  })

  test('is none where all is as it should be, or it does not run', () => {
    expect(opsOf(state(after), state(after))).toEqual([])
    expect(opsOf(state(undefined), state(after))).toEqual([])
    const gone = { uplink: undefined, told: after?.told }
    expect(opsOf(state(gone), state(before))).toEqual(['nm.tell', 'nm.recall'])
  })
})

test('what differs is told', () => {
  expect(compareManager(before, after, sides)).toEqual([
    'different: what NetworkManager is told of eth0',
    'different: NetworkManager manages eth0',
  ])
  const other: NetworkManager = {
    uplink: { managed: true, autoconnect: false, profile: 'other' },
    told: undefined,
  }
  expect(compareManager(other, before, sides)).toEqual(["missing: NetworkManager's profile wired on eth0"])
  expect(compareManager(before, before, sides)).toEqual([])
  expect(compareManager(undefined, before, sides)).toEqual([])
})

test('one that does not answer may have the uplink as it should, or not', () => {
  const silent: NetworkManager = { uplink: undefined, told: undefined, silent: true }
  const unknown = ['unknown: NetworkManager does not say whether it manages eth0']
  expect(compareManager(silent, before, sides)).toEqual(unknown)
  expect(compareManager({ ...silent, silent: false }, before, sides)).toEqual([])
  expect(compareManager(silent, silent, sides)).toEqual([])
  // It has nothing to do with the uplink.
  const elsewhere = { managed: false, autoconnect: true, profile: undefined }
  expect(compareManager(silent, { uplink: elsewhere, told: undefined }, sides)).toEqual([])
})

describe('advertised addresses', () => {
  const advertised = (dev: string, until: number | undefined): NetworkState['addresses'][number] =>
    address('fd01::50/64', dev, { validUntil: until, preferredUntil: until })

  test('last on the bridge as long as it does', () => {
    const goal = { ...state(after), addresses: [advertised('br0', 100)] }
    expect(lasting(goal, sides).addresses).toEqual([advertised('br0', undefined)])
    expect(lasting({ ...goal, manager: before }, sides).addresses).toEqual(goal.addresses)
  })

  test('have their time again on the uplink, half a minute at least', () => {
    const goal = { ...state(before), addresses: [advertised('eth0', undefined)] }
    for (const [until, wanted] of [
      [1000, 1000],
      [100, 530],
    ]) {
      const original = { ...state(before), addresses: [advertised('eth0', until)] }
      const again = advertisedAgain(goal, { original, at: 500 })
      expect(again.addresses).toEqual([advertised('eth0', wanted)])
    }
  })
})

test('a client of our own is the same host for the server', () => {
  const given = { path: '/bin/busybox', folder: '/f', script: '/s', address: '192.168.1.50', metric: 100 }
  const { words, env } = ownClient('br0', { ...given, clientId: '01:02:00:00:00:01:50', hostname: 'vm' })
  expect(words.join(' ')).toBe(
    '-f -S -i br0 -p /f/udhcpc4-br0.pid -s /s -r 192.168.1.50 -x 0x3d:01020000000150 -x hostname:vm',
  )
  expect(env).toEqual({ IF_METRIC: '100' })
  const { words: bare } = ownClient('br0', {
    ...given,
    address: undefined,
    clientId: undefined,
    hostname: undefined,
  })
  expect(bare.join(' ')).toBe('-f -S -i br0 -p /f/udhcpc4-br0.pid -s /s')
})
