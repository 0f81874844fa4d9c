import { describe, expect, test } from 'vitest'

import { clientWords } from '../../src/client-words.ts'
import type { DhcpClientName } from '../../src/owner-state.ts'

/** A command line, and what is made of it: its own options, the rest, its links. */
type Row = readonly [DhcpClientName, string, Readonly<Record<string, string>>, string, string]

const known: readonly Row[] = [
  ['dhclient', 'eth0', {}, '', 'eth0'],
  ['dhclient', '', {}, '', ''],
  [
    'dhclient',
    '-1 -v -pf /run/dhclient.eth0.pid -lf /var/lib/dhcp/dhclient.eth0.leases -I -df /x.leases eth0',
    { '-pf': '/run/dhclient.eth0.pid', '-lf': '/var/lib/dhcp/dhclient.eth0.leases' },
    '-1 -v -I -df /x.leases',
    'eth0',
  ],
  ['dhclient', '-e IF_METRIC=100 eth0 eth1', {}, '-e IF_METRIC=100', 'eth0 eth1'],
  ['dhclient', '-6 -nw -p 546 eth0.10', {}, '-6 -nw -p 546', 'eth0.10'],
  ['dhcpcd', '-4 -f /etc/dhcpcd.conf eth0', { '-f': '/etc/dhcpcd.conf' }, '-4', 'eth0'],
  ['udhcpc', '', {}, '', 'eth0'],
  ['udhcpc', '-i eth1', { '-i': 'eth1' }, '', 'eth1'],
  ['udhcpc', '-ieth1', { '-i': 'eth1' }, '', 'eth1'],
  ['udhcpc', '-fbi eth1', { '-i': 'eth1' }, '-f -b', 'eth1'],
  ['udhcpc', '-fieth1', { '-i': 'eth1' }, '-f', 'eth1'],
  ['udhcpc', '--interface=eth1 --foreground', { '-i': 'eth1' }, '-f', 'eth1'],
  ['udhcpc', '--interface eth1 -x hostname:eth0', { '-i': 'eth1' }, '-x hostname:eth0', 'eth1'],
  ['udhcpc', '-R -n -p /run/u.pid -i eth1', { '-p': '/run/u.pid', '-i': 'eth1' }, '-R -n', 'eth1'],
]

test.each(known)('%s %s', (name, line, own, rest, links) => {
  const found = clientWords(name, line.split(' ').filter(Boolean))
  expect(found && { ...found, own: Object.fromEntries(found.own) }).toEqual({
    own,
    rest: rest.split(' ').filter(Boolean),
    links: links.split(' ').filter(Boolean),
  })
})

describe('what is not known may have a value, or not', () => {
  const unknown: readonly (readonly [DhcpClientName, string])[] = [
    ['dhclient', '-C id eth0'],
    ['dhclient', '--timeout 5 eth0'],
    ['dhcpcd', '-t 30 eth0'],
    ['udhcpc', '-fJi eth1'],
    ['udhcpc', '--interf=eth1'],
  ]
  test.each(unknown)('%s %s', (name, line) => {
    expect(clientWords(name, line.split(' '))).toBeUndefined()
  })
})
