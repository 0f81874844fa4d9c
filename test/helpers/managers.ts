import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import type { Lab } from '../lab/lab.ts'
import type { Running } from '../lab/start.ts'
import { tool } from '../lab/tools.ts'
import { breakable } from './broken-calls.ts'
import { inMountsOf, overlay } from './mounts.ts'
import { until } from './tap.ts'

/** Real DHCP clients and network managers, in a lab's host. */

/** What the set-up unpacked. */
export const unpacked = fileURLToPath(new URL('../../.cache/managers', import.meta.url))
export const libraries = `${unpacked}/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`

/** What the set-up unpacked and did not install; or what the machine has. */
export function unpackedProgram(name: string): string {
  const places = [`${unpacked}/usr/sbin/${name}`, `${unpacked}/usr/bin/${name}`, `${unpacked}/sbin/${name}`]
  return places.find((place) => existsSync(place)) ?? tool(name)
}

/** One that belongs into no folder of programs. */
export const unpackedFile = (path: string): string => `${unpacked}/${path}`

export interface Leases {
  /** How long one lasts, as dnsmasq reads it; two minutes at least. */
  readonly time: string
  /** After how many seconds a client asks for it again; left out: after half of it. */
  readonly renewal?: number
  /** Whether the router also advertises its IPv6 prefix, every ten seconds. */
  readonly isAdvertising?: boolean
  /** More of what the server tells, as dnsmasq reads it: `option:dns-server,192.168.1.1`. */
  readonly options?: readonly string[]
  /** The first address and the last; it says no at once to who asks for another one. */
  readonly range?: string
}

const usualRange = '192.168.1.100,192.168.1.150'

/** A DHCP server on the router's side of eth0, and the router itself. It says what it is asked. */
export async function dhcpServer(
  lab: Lab,
  { time, renewal, isAdvertising = false, options: more = [], range = usualRange }: Leases = { time: '1h' },
): Promise<Running> {
  const options = [
    '--conf-file=/dev/null',
    '--port=0',
    '--user=root',
    '--interface=e0',
    '--bind-interfaces',
    `--dhcp-range=${range},${time}`,
    ...(range === usualRange ? [] : ['--dhcp-authoritative']),
    ...(isAdvertising
      ? ['--enable-ra', `--dhcp-range=::,constructor:e0,ra-only,${time}`, '--ra-param=e0,10,120']
      : []),
    ...(renewal === undefined ? [] : [`--dhcp-option=option:T1,${renewal}`]),
    ...more.map((option) => `--dhcp-option=${option}`),
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
  return server
}

/** With the paths of its program. */
export const clientLine = ([name = '', ...args]: readonly string[]): readonly string[] => [
  ...(name === 'udhcpc' ? [tool('busybox'), 'udhcpc'] : [unpackedProgram(name)]),
  ...args,
]

/** Starts a client, and waits until it has a lease: each says so in words of its own. */
export async function dhcpClient(lab: Lab, words: readonly string[], leased?: RegExp): Promise<Running> {
  const client = await lab.start('host', ['sh', '-c', 'exec "$@" 2>&1', 'sh', ...clientLine(words)])
  if (leased !== undefined) await client.waitFor(leased, 30_000)
  return client
}

// With a writable /sys both managers wait for udev, which a lab has none of. `ip netns exec` gives each command its own.
const withoutUdev = ['sh', '-c', 'mount -o remount,ro /sys && exec "$@" 2>&1', 'sh']

/** systemd-networkd, with the `.network` files that are given by their text; waits until it has looked at eth0. */
export async function networkd(lab: Lab, files: Readonly<Record<string, string>>): Promise<Running> {
  await startBus(lab)
  return networkdAlone(lab, files)
}

/** The same without a bus; with no files, one that is begun again. */
export async function networkdAlone(
  lab: Lab,
  files: Readonly<Record<string, string>> = {},
): Promise<Running> {
  const folders = ['/run/systemd/network', '/run/systemd/netif']
  await lab.ok('host', ['mkdir', '-p', ...folders])
  await lab.ok('host', ['chown', 'systemd-network:systemd-network', '/run/systemd/netif'])
  for (const [name, text] of Object.entries(files))
    await lab.ok('host', ['tee', `/run/systemd/network/${name}`], { input: text })
  const running = await lab.start('host', [...withoutUdev, '/lib/systemd/systemd-networkd'])
  const decided = `until grep -q '^ADMIN_STATE=[^pi]' /run/systemd/netif/links/$(cat /sys/class/net/eth0/ifindex); do sleep 0.05; done`
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
export async function startBus(lab: Lab): Promise<void> {
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
  return startNetworkManager(lab, config)
}

/** The same where the bus is there. */
export async function startNetworkManager(lab: Lab, config = ''): Promise<Running> {
  const text = `[main]\nplugins=keyfile\nrc-manager=unmanaged\n${config}`
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
  const line = [...withoutUdev, unpackedProgram('NetworkManager'), '--debug', '--log-level=INFO', ...options]
  const running = await lab.start('host', line, { env })
  await running.waitFor(/manager: startup complete/, 20_000)
  return running
}

/** nmcli where the commands look for it, as it is on a machine with NetworkManager. */
export async function installNmcli(lab: Lab): Promise<void> {
  const real = `env LD_LIBRARY_PATH='${libraries}' '${unpackedProgram('nmcli')}'`
  await lab.ok('host', ['mkdir', '-p', '/run/tools/nmcli.bin'])
  await lab.ok('host', ['tee', '/run/tools/nmcli.bin/nmcli'], { input: breakable('nmcli', real) })
  await lab.ok('host', ['chmod', '+x', '/run/tools/nmcli.bin/nmcli'])
  await inMountsOf(lab, overlay('/run/tools/nmcli.bin', '/usr/bin'))
}

export const nmcli = (lab: Lab, line: string): Promise<string> =>
  lab.ok('host', [unpackedProgram('nmcli'), ...line.split(' ')], { env: { LD_LIBRARY_PATH: libraries } })
