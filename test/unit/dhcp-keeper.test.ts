import { expect, test } from 'vitest'

import { keeperPath, keeperText } from '../../src/dhcp-keeper.ts'
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
  const { path, words } = client
  expect(keeperPath(client, '/folder')).toBe("/folder/keeper4-br'0.sh")
  expect(keeperText(client, { path, words, env: { IF_METRIC: '5 6' } }, '/fresh')).toBe(
    `#!/bin/sh
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
  const { path } = client
  const text = keeperText(client, { path, words: ['-f'], env: {} }, undefined)
  expect(text.match(/ -f/g)).toHaveLength(1)
})
