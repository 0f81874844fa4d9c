import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import type { Lab } from '../lab/lab.ts'
import type { Running } from '../lab/start.ts'
import { tool } from '../lab/tools.ts'
import { until } from './tap.ts'

/** Real DHCP clients and network managers, in a lab's host. */

const unpacked = fileURLToPath(new URL('../../.cache/managers', import.meta.url))
const libraries = `${unpacked}/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`

/** What the set-up unpacked and did not install; or what the machine has. */
function program(name: string): string {
  const places = [`${unpacked}/usr/sbin/${name}`, `${unpacked}/usr/bin/${name}`, `${unpacked}/sbin/${name}`]
  return places.find((place) => existsSync(place)) ?? tool(name)
}

/** A DHCP server on the router's side of eth0. */
export async function dhcpServer(lab: Lab): Promise<void> {
  const options = [
    '--conf-file=/dev/null',
    '--port=0',
    '--user=root',
    '--interface=e0',
    '--bind-interfaces',
    '--dhcp-range=192.168.1.100,192.168.1.150,1h',
    '--dhcp-leasefile=/run/leases',
    '--no-ping',
    '--pid-file=',
    '--log-facility=-',
  ]
  const server = await lab.start('router', [
    'sh',
    '-c',
    'exec "$@" 2>&1',
    'sh',
    tool('dnsmasq'),
    '-d',
    ...options,
  ])
  await server.waitFor(/DHCP, IP range/)
}

/** Starts a client, and waits until it has a lease: each says so in words of its own. */
export async function dhcpClient(lab: Lab, words: readonly string[], leased?: RegExp): Promise<Running> {
  const [name = '', ...args] = words
  const path = name === 'udhcpc' ? [tool('busybox'), 'udhcpc'] : [program(name)]
  const client = await lab.start('host', ['sh', '-c', 'exec "$@" 2>&1', 'sh', ...path, ...args])
  if (leased !== undefined) await client.waitFor(leased, 30_000)
  return client
}

// With a writable /sys both managers wait for udev, which a lab has none of. `ip netns exec` gives each command its own.
const withoutUdev = ['sh', '-c', 'mount -o remount,ro /sys && exec "$@" 2>&1', 'sh']

/** systemd-networkd, with the `.network` files that are given by their text; waits until it has looked at eth0. */
export async function networkd(lab: Lab, files: Readonly<Record<string, string>>): Promise<Running> {
  const folders = ['/run/systemd/network', '/run/systemd/netif']
  await lab.ok('host', ['mkdir', '-p', ...folders])
  await lab.ok('host', ['chown', 'systemd-network:systemd-network', '/run/systemd/netif'])
  for (const [name, text] of Object.entries(files))
    await lab.ok('host', ['tee', `/run/systemd/network/${name}`], { input: text })
  const running = await lab.start('host', [...withoutUdev, '/lib/systemd/systemd-networkd'])
  const decided = `until grep -q '^ADMIN_STATE=[^p]' /run/systemd/netif/links/$(cat /sys/class/net/eth0/ifindex); do sleep 0.05; done`
  await lab.ok('host', ['timeout', '15', 'sh', '-c', decided])
  return running
}

const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/>
<allow send_type="method_call"/><allow eavesdrop="true"/></policy></busconfig>
`

const dir = '/run/manager'

/** A system bus of the lab's own. */
async function startBus(lab: Lab): Promise<void> {
  await lab.ok('host', ['mkdir', '-p', dir, '/run/dbus'])
  await lab.ok('host', ['tee', `${dir}/bus.conf`], { input: busConfig })
  const bus = [
    tool('dbus-daemon'),
    `--config-file=${dir}/bus.conf`,
    '--nofork',
    '--nopidfile',
    '--print-address',
  ]
  await (await lab.start('host', bus)).waitFor(/unix:/)
}

/** firewalld, of which eth0 is in the zone, or in none of its own. */
export async function firewalld(lab: Lab, zone?: string): Promise<Running> {
  await startBus(lab)
  const running = await lab.start('host', ['sh', '-c', `exec ${tool('firewalld')} --nofork --nopid 2>&1`])
  const isRunning = async (): Promise<boolean> =>
    (await lab.run('host', ['firewall-cmd', '--state'])).exit === 0
  await until('firewalld runs', isRunning)
  if (zone !== undefined) await lab.ok('host', ['firewall-cmd', `--zone=${zone}`, '--change-interface=eth0'])
  return running
}

/** NetworkManager on a bus of its own, with more lines for its configuration; waits until it has looked at eth0. */
export async function networkManager(lab: Lab, config = ''): Promise<Running> {
  await startBus(lab)
  const text = `[main]\nplugins=keyfile\ndns=none\nrc-manager=unmanaged\n${config}`
  await lab.ok('host', ['tee', `${dir}/nm.conf`], { input: text })
  const options = Object.entries({
    config: 'nm.conf',
    'config-dir': 'conf.d',
    'system-config-dir': 'etc',
    'intern-config': 'intern.conf',
    'state-file': 'state',
    'pid-file': 'pid',
  }).map(([name, file]) => `--${name}=${dir}/${file}`)
  const env = { LD_LIBRARY_PATH: libraries }
  const line = [...withoutUdev, program('NetworkManager'), '--debug', '--log-level=INFO', ...options]
  const running = await lab.start('host', line, { env })
  await running.waitFor(/manager: startup complete/, 20_000)
  return running
}

export const nmcli = (lab: Lab, line: string): Promise<string> =>
  lab.ok('host', [program('nmcli'), ...line.split(' ')], { env: { LD_LIBRARY_PATH: libraries } })
