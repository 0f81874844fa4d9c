import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { startGuest, type GuestOptions } from '../lab/guest.ts'
import { openLab, type Lab } from '../lab/lab.ts'

const users = process.getuid?.() === 0 ? [false, true] : [true]

const hook = (lab: Lab, name: string, line: string): string => {
  const path = join(lab.dir, name)
  writeFileSync(path, `#!/bin/sh\n${line}\n`)
  chmodSync(path, 0o755)
  return path
}

const guest = (lab: Lab, number: number): GuestOptions => ({
  name: `guest${number}`,
  mac: `52:54:00:00:00:${number}`,
  tap: `tap${number}`,
  ip: `192.168.1.${number}/24`,
  gw: '192.168.1.1',
  ip6: `fd01::${number}/64`,
  gw6: 'fd01::1',
  hooks: {
    up: hook(lab, 'up', 'ip link set "$1" master br0 up'),
    down: hook(lab, 'down', `echo "$1" >>${lab.dir}/downs`),
  },
})

test.each(users)('a guest on a bridge made by hand talks and is reached (as a user: %s)', async (asUser) => {
  const lab = await openLab({ asUser, bare: true })
  await lab.ip('host', ['link add br0 type bridge', 'link set br0 up', 'link set eth0 master br0 up'])
  const first = await startGuest(lab, guest(lab, 61))
  const second = await startGuest(lab, guest(lab, 62))
  await Promise.all([first.ready(), second.ready()])
  for (const target of ['203.0.113.9', 'fd99::9', '192.168.1.62', 'fd01::62']) {
    expect([target, (await first.run(`ping -c1 -W2 ${target}`)).exit]).toEqual([target, 0])
  }
  expect(await first.run('echo a; echo b >&2; exit 3')).toEqual({ exit: 3, output: 'a\nb\n' })
  const page = await lab.ok('outside', ['busybox', 'wget', '-qO-', 'http://[fd01::61]/'])
  expect(page).toBe('guest guest61\n')
  const echo = await lab.run('outside', ['busybox', 'nc', '-w', '3', '192.168.1.62', '7'], {
    input: 'echo\n',
  })
  expect(echo.stdout).toBe('echo\n')
  expect(await first.quit()).toEqual({ exit: 0, signal: undefined })
  expect(await lab.ok('host', ['cat', `${lab.dir}/downs`])).toBe('tap61\n')
  second.kill('SIGKILL')
  expect((await second.exited).signal).toBe('SIGKILL')
  expect(await lab.ok('host', ['ip', '-o', 'link', 'show', 'type', 'tun'])).toBe('')
  await lab.close()
})

test("a failing hook stops the guest, with QEMU's and the hook's message", async () => {
  const lab = await openLab({ bare: true })
  const up = hook(lab, 'fails', 'echo "no bridge" >&2; exit 1')
  const broken = await startGuest(lab, { ...guest(lab, 61), hooks: { up, down: 'no' } })
  await expect(broken.ready()).rejects.toThrow(/no bridge/)
  expect((await broken.exited).exit).toBe(1)
  await lab.close()
})
