import { describe, expect, test } from 'vitest'

import { clientsOnBridge } from '../../../src/plan/clients-on-bridge.ts'
import { convergeClients } from '../../../src/plan/converge-clients.ts'
import { clientsBack, compareClients, stayingClients } from '../../../src/plan/dhcp-clients.ts'
import type { DhcpClient } from '../../../src/owner-state.ts'
import type { NetworkState } from '../../../src/state.ts'
import { link, plainHost } from '../../helpers/state.ts'

const sides = { uplink: 'eth0', bridge: 'br0' }
const folder = '/var/lib/qemu-tap-hooks/1'

const client = (given: Partial<DhcpClient> & Pick<DhcpClient, 'name' | 'words'>): DhcpClient => ({
  families: [4],
  dev: 'eth0',
  path: `/sbin/${given.name}`,
  env: {},
  confined: false,
  ...given,
})

const dhclient = client({
  name: 'dhclient',
  words: '-lf /l.leases -cf /c.conf -sf /s -pf /p.pid -1 -v eth0'.split(' '),
})
const dhcpcd = client({ name: 'dhcpcd', words: '-f /etc/dhcpcd.conf -4 eth0'.split(' ') })
const udhcpc = client({ name: 'udhcpc', words: '-i eth0 -s /s -n -R'.split(' ') })

const withClients = (...clients: readonly DhcpClient[]): NetworkState => ({
  ...plainHost(),
  links: [...plainHost().links, link('br0')],
  clients,
})

const raise = (from: NetworkState, told: readonly (4 | 6)[] = []): readonly DhcpClient[] =>
  clientsOnBridge({ state: from, sides, folder, told }) ?? []

describe('on the bridge', () => {
  test.each([
    [
      dhclient,
      `-cf ${folder}/dhclient4-br0.conf -sf /s -lf ${folder}/dhclient4-br0.leases -pf ${folder}/dhclient4-br0.pid -1 -v br0`,
    ],
    [dhcpcd, `-4 -f ${folder}/dhcpcd-br0.conf br0`],
    [udhcpc, `-i br0 -p ${folder}/udhcpc4-br0.pid -s /s -r 192.168.1.50 -n -R`],
  ])('$name', (before, words) => {
    const [after] = raise(withClients(before))
    expect(after).toEqual({ ...before, dev: 'br0', words: words.split(' ') })
  })

  test('a confined one keeps its settings, and has its files where it may have them', () => {
    const [after] = raise(withClients({ ...dhclient, confined: true }))
    expect(after?.words.join(' ')).toBe(
      '-cf /c.conf -sf /s -lf /dhclient.br0.leases -pf /dhclient.br0.pid -1 -v br0',
    )
    const without = {
      ...dhclient,
      confined: true,
      words: '-cf /c.conf -lf /var/lib/dhcp/dhclient.eth0.leases eth0'.split(' '),
    }
    const [other] = raise(withClients(without))
    expect(other?.words.join(' ')).toBe(
      '-cf /c.conf -lf /var/lib/dhcp/dhclient.br0.leases -pf /run/dhclient.br0.pid br0',
    )
  })

  test('a client of the bridge itself stays, and one of a family whose addresses are told ends', () => {
    const own = { ...dhclient, dev: 'br0', families: [6] as const }
    expect(raise(withClients(own, dhclient), [4])).toEqual([own])
  })
})

describe('where the user tells addresses of one family', () => {
  const both = { ...dhcpcd, families: [4, 6] as const, words: ['eth0'] }

  test('dhcpcd goes along for the other', () => {
    expect(raise(withClients(both), [4])).toEqual([
      { ...both, families: [6], dev: 'br0', words: ['-6', 'br0'] },
    ])
    expect(raise(withClients(both))).toEqual([{ ...both, dev: 'br0', words: ['br0'] }])
    expect(raise(withClients(both), [4, 6])).toEqual([])
  })
})

describe('from one link to the other', () => {
  const before = withClients(dhclient, dhcpcd)
  const after = withClients(...raise(before))
  const stayingOf = (from: NetworkState, to: NetworkState): NetworkState => ({
    ...from,
    clients: stayingClients(from, to),
  })
  const ended = stayingOf(before, after)
  const names = (from: NetworkState, to: NetworkState): readonly string[] =>
    convergeClients(from, to, sides).map((step) =>
      'client' in step ? `${step.op} ${step.client.name} ${step.client.dev}` : step.op,
    )

  test('each ends before the switch, and begins after it', () => {
    expect(names(before, ended)).toEqual(['client.stop dhclient eth0', 'client.stop dhcpcd eth0'])
    expect(names(ended, after)).toEqual(['client.start dhclient br0', 'client.start dhcpcd br0'])
    expect(compareClients(withClients(), ended)).toEqual([])
  })

  test('one that is about to begin again on the bridge is missing there, and ends where it is to go', () => {
    const pausing = { ...after, clients: after.clients?.map((each) => ({ ...each, pausing: true })) }
    expect(compareClients(pausing, after)).toEqual(['missing: dhclient of br0', 'missing: dhcpcd of br0'])
    expect(compareClients(after, pausing)).toEqual([])
    expect(compareClients(withClients(), pausing)).toEqual([])
    expect(names(withClients(), pausing)).toEqual(['client.start dhclient br0', 'client.start dhcpcd br0'])
    expect(names(pausing, after)).toEqual(['client.start dhclient br0', 'client.start dhcpcd br0'])
    expect(names(pausing, stayingOf(pausing, before))).toEqual([
      'client.stop dhclient br0',
      'client.stop dhcpcd br0',
    ])
    expect(compareClients(pausing, withClients())).toEqual([
      'too much: dhclient of br0',
      'too much: dhcpcd of br0',
    ])
  })

  const filesOf = (from: NetworkState, to: NetworkState): readonly string[] =>
    convergeClients(from, to, sides).flatMap((step) =>
      step.op === 'client.start' ? step.inherits.map(({ as, ...at }) => `${as} ${at.from} ${at.to}`) : [],
    )

  test('up with leases and settings, down with leases alone', () => {
    expect(filesOf(ended, after)).toEqual([
      `leases /l.leases ${folder}/dhclient4-br0.leases`,
      `text /c.conf ${folder}/dhclient4-br0.conf`,
      'copy /var/lib/dhcpcd/eth0.lease /var/lib/dhcpcd/br0.lease',
      `text /etc/dhcpcd.conf ${folder}/dhcpcd-br0.conf`,
    ])
    const leaving = stayingOf(after, before)
    expect(filesOf(leaving, before)).toEqual([
      `append ${folder}/dhclient4-br0.leases /l.leases`,
      'copy /var/lib/dhcpcd/br0.lease /var/lib/dhcpcd/eth0.lease',
    ])
  })

  test('one that somebody began on the bridge goes to the uplink', () => {
    const added = { ...udhcpc, dev: 'br0', words: '-i br0 -s /s'.split(' ') }
    const now = withClients(...(after.clients ?? []), added)
    const back = clientsBack({ original: before, raised: after, now, sides })
    expect(back?.at(-1)).toEqual({ ...added, dev: 'eth0', words: '-i eth0 -s /s'.split(' ') })
  })

  test('where nobody looked, nothing is done or missed', () => {
    const unseen: NetworkState = { ...before, clients: undefined }
    expect(convergeClients(unseen, after, sides)).toEqual([])
    expect(convergeClients(before, unseen, sides)).toEqual([])
    expect(compareClients(unseen, after)).toEqual([])
  })
})
