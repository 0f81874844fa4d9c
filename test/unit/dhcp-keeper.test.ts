import { expect, test } from 'vitest'

import { isKeeperPath, keeperPath, keeperText, keptBy } from '../../src/dhcp-keeper.ts'
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
  expect(keeperPath(client, '/folder')).toBe("/folder/keeper4-br'0.sh")
  expect(keeperText(client, { words, env: { IF_METRIC: '5 6' } }, '/fresh')).toBe(
    `#!/bin/sh
# keeps ${JSON.stringify(client)}
export IF_METRIC='5 6'
while [ -e '/proc/sys/net/ipv4/conf/br'\\''0' ]; do
  : >/fresh
  /bin/busybox udhcpc -f -i 'br'\\''0' -b
  sleep 1
done
`,
  )
})

test('one that is in the foreground already is told so once', () => {
  const text = keeperText(client, { words: ['-f'], env: {} }, undefined)
  expect(text.match(/ -f/g)).toHaveLength(1)
})

test('its text tells which client it keeps', () => {
  const text = keeperText(client, client, undefined)
  expect(keptBy(text)).toEqual(client)
  expect(keptBy(text.slice(0, 60))).toBeUndefined()
  expect(keptBy('')).toBeUndefined()
})

test('its path tells that it is one', () => {
  const path = keeperPath(client, '/folder')
  expect(isKeeperPath(path, '/folder')).toBe(true)
  expect(isKeeperPath(path, '/fold')).toBe(false)
  expect(isKeeperPath('/folder/1/keeper4-br0.sh', '/folder')).toBe(false)
  expect(isKeeperPath('/folder/dhclient4-br0.conf', '/folder')).toBe(false)
})
