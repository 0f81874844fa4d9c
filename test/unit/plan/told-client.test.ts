import { describe, expect, test } from 'vitest'

import { asIfLeased, toldClient, withoutNewLeases } from '../../../src/plan/told-client.ts'
import type { NetworkState, Route } from '../../../src/state.ts'
import { address, link, plainHost, route } from '../../helpers/state.ts'

const client = toldClient('br0', { name: 'dhcpcd', path: '/sbin/dhcpcd', folder: '/f' })
const raised: NetworkState = {
  ...plainHost(),
  links: [link('eth0', { master: 'br0' }), link('br0')],
  addresses: [],
  routes: [],
  clients: [client],
}
const lease = address('192.168.1.135/24', 'br0', { validUntil: 900, preferredUntil: 900 })
const byHand = address('10.7.0.1/16', 'br0')
const gateway = route('default', 'br0', '192.168.1.1')
const way = route('10.8.0.0/16', 'br0')
const now: NetworkState = { ...raised, addresses: [lease, byHand], routes: [gateway, way] }

const dstsOf = ({ routes }: { readonly routes: readonly Route[] }): readonly string[] =>
  routes.map(({ dst }) => dst)

describe('what a client has got since', () => {
  test('counts as of the commit, and what somebody added by hand does not', () => {
    const seen = asIfLeased(raised, now, 'br0')
    expect(seen.addresses).toEqual([lease])
    expect(dstsOf(seen)).toEqual(['default'])
  })

  test('is no difference, where the link is to have no IPv4 address by itself', () => {
    const left = withoutNewLeases(now, { ...raised, routes: [way] })
    expect(left.addresses).toEqual([])
    expect(dstsOf(left)).toEqual(['10.8.0.0/16'])
    expect(withoutNewLeases(now, { ...raised, addresses: [byHand] })).toEqual({
      ...now,
    })
    expect(withoutNewLeases(now, { ...raised, clients: [] })).toEqual(now)
  })
})

test.each([
  ['dhclient', '-4 -lf /f/dhclient.br0.leases -pf /run/dhclient.br0.pid br0'],
  ['dhcpcd', '-4 br0'],
  ['udhcpc', '-i br0 -p /f/udhcpc.br0.pid -s /s'],
] as const)('%s on the bridge', (name, words) => {
  const { path, ...told } = toldClient('br0', { name, path: '/x', folder: '/f', script: '/s' })
  expect([path, told.dev, told.words.join(' ')]).toEqual(['/x', 'br0', words])
})
