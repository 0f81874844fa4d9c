import { expect, test } from 'vitest'

import { keeperPath, keeperText, keptBy, keptLink } from '../../src/dhcp-keeper.ts'
import type { DhcpClient } from '../../src/owner-state.ts'

const client: DhcpClient = {
  name: 'udhcpc',
  families: [4],
  dev: "br'0",
  path: '/bin/busybox',
  words: ['-i', "br'0", '-b'],
  env: {},
  confined: false,
}

test('a keeper runs its client in the foreground until the link is gone, and is not named like it', () => {
  const { words } = client
  expect(keeperPath(client, '/folder')).toBe("/folder/keeper4b-br'0.sh")
  expect(keeperText(client, { words, env: { IF_METRIC: '5 6' } }, '/fresh')).toBe(
    `#!/bin/sh
# keeps ${JSON.stringify(client)}
export IF_METRIC='5 6'
while [ -e '/proc/sys/net/ipv4/conf/br'\\''0' ]; do
  command : >/fresh
  /bin/busybox udhcpc -f -i 'br'\\''0'
  sleep 1
done
`,
  )
})

test('it waits for its client, whatever that was told, and nothing of one that was killed stays', () => {
  const text = keeperText(client, { words: ['-n', '-f', '-q', '-R'], env: {} }, undefined)
  expect(text).toContain('\n  /bin/busybox udhcpc -f -R\n  sleep 1\n')
  const dhcpcd = { ...client, name: 'dhcpcd', path: '/sbin/dhcpcd' } as const
  expect(keeperText(dhcpcd, { words: ['-4'], env: {} }, undefined)).toContain(
    '\n  /sbin/dhcpcd -B -p -4\n  pkill -KILL -g $$ dhcpcd\n  sleep 1\n',
  )
})

test('its text tells which client it keeps', () => {
  const text = keeperText(client, client, undefined)
  expect(keptBy(text)).toEqual(client)
  expect(keptBy(text.slice(0, 60))).toBeUndefined()
  expect(keptBy('')).toBeUndefined()
})

test('the name of its file tells the link', () => {
  expect(keptLink(keeperPath({ ...client, dev: 'br-a.1' }, '').slice(1))).toBe('br-a.1')
  expect(keptLink('dhclient4-br0.conf')).toBeUndefined()
})
