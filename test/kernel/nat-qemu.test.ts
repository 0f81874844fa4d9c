import { afterAll, beforeAll, expect, test } from 'vitest'

import { bin, until } from '../helpers/tap.ts'
import { startGuest, type Guest } from '../lab/guest.ts'
import { openLab, type Lab } from '../lab/lab.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'

/** Real guests on a bridge with NAT: addresses, names, the way out and the way in. */

const size = 10 * 1024 * 1024
const file = '/run/config.toml'

const macs = { one: '52:54:00:00:00:01', two: '52:54:00:00:00:02' } as const

const config = `
[[bridge]]
name = "br20"
nat = true
address = ["192.168.20.1/24", "fd20::1/64"]
dhcp_range = "192.168.20.50,192.168.20.59"
[[bridge.guest]]
mac = "${macs.one}"
name = "one"
address = "192.168.20.9"
[[bridge.forward]]
port = 8080
to = "192.168.20.9:80"
[[tap]]
match = "lab*"
bridge = "br20"
`

let lab: Lab
let before: string
let one: Guest
let two: Guest

const start = (name: keyof typeof macs): Promise<Guest> =>
  startGuest(lab, {
    name,
    mac: macs[name],
    tap: `lab-${name}`,
    hooks: { up: bin('qemu-ifup'), down: bin('qemu-ifdown') },
    env: { QEMU_TAP_HOOKS_CONFIG: file },
  })

/** What a DHCP client's script does, in short. */
const script = [
  '#!/bin/sh',
  '[ "$1" = bound ] || exit 0',
  'ip addr add "$ip/$mask" dev "$interface"',
  'ip route add default via "$router"',
  'echo "nameserver $dns" >/etc/resolv.conf',
  'echo "$ip"',
]

async function lease(guest: Guest, name: string): Promise<string> {
  const lines = script.map((line) => `'${line}'`).join(' ')
  const ipv6 = 'echo 1 >/proc/sys/net/ipv6/conf/eth0/autoconf; ip link set eth0 down; ip link set eth0 up'
  const written = `${ipv6}; mkdir -p /etc; printf '%s\\n' ${lines} >/tmp/lease; chmod +x /tmp/lease`
  const { output } = await guest.run(
    `${written}; udhcpc -i eth0 -n -q -f -x hostname:${name} -s /tmp/lease 2>/dev/null`,
  )
  return output.trim()
}

beforeAll(async () => {
  lab = await openLab()
  before = await snapshot(lab)
  await lab.ok('host', ['tee', file], { input: config })
  await lab.ok('host', [bin('brup'), 'br20', '--config', file])
  ;[one, two] = await Promise.all([start('one'), start('two')])
  await Promise.all([one.ready(), two.ready()])
})
afterAll(() => lab.close())

test('get addresses by DHCP, the known one its own', async () => {
  expect(await lease(one, 'whoever')).toBe('192.168.20.9')
  expect(await lease(two, 'two')).toMatch(/^192\.168\.20\.5\d$/)
})

test('resolve each other by name, and reach each other by it', async () => {
  expect((await one.run('ping -c1 -W3 two')).exit).toBe(0)
  expect((await two.run('ping -c1 -W3 one')).exit).toBe(0)
})

test('fetch 10 MB from the outside host through NAT, in both families', async () => {
  const folder = `${lab.dir}/www`
  const made = `mkdir ${folder}; head -c ${size} /dev/urandom >${folder}/big; sha256sum <${folder}/big`
  const sum = (await lab.ok('outside', ['sh', '-ec', made])).trim()
  await lab.start('outside', ['busybox', 'httpd', '-f', '-p', '[::]:8000', '-h', folder])
  const isHeard = async (): Promise<boolean> =>
    (await one.run('ip -6 route show default')).output.includes('via fe80::')
  await until('the guest has heard the bridge', isHeard)
  for (const address of ['203.0.113.9', '[fd99::9]']) {
    const { output } = await one.run(`wget -qO- http://${address}:8000/big | sha256sum`, 120_000)
    expect([address, output.trim()]).toEqual([address, sum])
  }
})

test('are reached from outside by a published port, and by no other', async () => {
  expect(await lab.ok('outside', ['busybox', 'wget', '-qO-', 'http://192.168.1.50:8080/'])).toBe(
    'guest one\n',
  )
  expect(
    (await lab.run('outside', ['busybox', 'wget', '-T', '2', '-qO-', 'http://192.168.1.50:80/'])).exit,
  ).not.toBe(0)
})

test('and leave nothing behind', async () => {
  await Promise.all([one.quit(), two.quit()])
  await lab.ok('host', [bin('brdown'), 'br20', '--config', file])
  expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
})
