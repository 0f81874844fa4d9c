import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

import { bin, faultyIp, outlivingItsCaller, shot, type Fault, type Faulty } from '../helpers/faults.ts'
import { dhcpServer, networkd } from '../helpers/managers.ts'
import { inLab, run, until } from '../helpers/tap.ts'
import { startVethGuest } from '../helpers/veth-guest.ts'
import { processesLike, watchdogs } from '../helpers/watchdog.ts'
import { openLab, type Lab, type LabOptions } from '../lab/lab.ts'
import { diffSnapshots } from '../lab/snapshot.ts'
import { tool } from '../lab/tools.ts'

/** What goes wrong with a bridge that has no uplink leaves addresses, chains, settings, links and servers as they were. */

const network = ['--address', '192.168.20.1/24', '--address', 'fd20::1/64']

/** Each behind a firewall that ends what it does not know. */
const modes = {
  'on the LAN': { up: ['brup'], down: ['brdown'], leastLines: { brup: 15, brdown: 10 } },
  'on the LAN, with a DHCP client': {
    up: ['brup'],
    down: ['brdown'],
    leastLines: { brup: 15, brdown: 10 },
    prepare: startClient,
  },
  'on the LAN, with networkd': {
    up: ['brup'],
    down: ['brdown'],
    leastLines: { brup: 15, brdown: 10 },
    lab: { bare: true },
    prepare: startNetworkd,
  },
  'host-only': {
    up: ['brup', 'br20', '--no-uplink', ...network],
    down: ['brdown', 'br20'],
    leastLines: { brup: 6, brdown: 2 },
  },
  'with NAT and a server': {
    up: ['brup', 'br20', '--nat', ...network, '--dhcp-range', '192.168.20.50,192.168.20.59'],
    down: ['brdown', 'br20'],
    leastLines: { brup: 6, brdown: 2 },
    use: giveLease,
  },
} as const
interface Mode {
  readonly up: readonly string[]
  readonly down: readonly string[]
  readonly leastLines: Readonly<Record<Name, number>>
  readonly lab?: LabOptions
  readonly prepare?: (lab: Lab) => Promise<void>
  /** While it is up, some time before anything goes wrong. */
  readonly use?: (lab: Lab) => Promise<void>
}
const names = ['brup', 'brdown'] as const
type Name = (typeof names)[number]

const lineOf = ({ up, down }: Mode, command: Name): readonly string[] => (command === 'brup' ? up : down)

const words = ([name = '', ...args]: readonly string[]): readonly string[] => [bin(name), ...args]

async function startClient(lab: Lab): Promise<void> {
  await dhcpServer(lab)
  await lab.ok('host', [tool('dhclient'), '-4', '-pf', '/run/dhclient.pid', 'eth0'])
}

async function startNetworkd(lab: Lab): Promise<void> {
  await lab.ip('host', ['link set eth0 up'])
  const lines = ['Address=192.168.1.50/24', 'Address=fd01::50/64', 'Gateway=192.168.1.1', 'Gateway=fd01::1']
  const text = ['[Match]', 'Name=eth0', '[Network]', ...lines, 'IPv6AcceptRA=no', ''].join('\n')
  await networkd(lab, { '10-eth0.network': text })
  await until('networkd is done', async () => (await managedBy(lab, 'eth0')).includes('=configured'))
}

/** What networkd says of a link, if there are both. */
const managedBy = (lab: Lab, dev: string): Promise<string> => {
  const file = `/run/systemd/netif/links/$(ip -o link show ${dev} 2>/dev/null | cut -d: -f1)`
  return lab.ok('host', ['sh', '-c', `cat ${file} 2>/dev/null | grep -E '^(ADMIN_STATE|NETWORK_FILE)=' || :`])
}

/** To a guest that is gone then. */
async function giveLease(lab: Lab): Promise<void> {
  const guest = await startVethGuest(lab, { name: 'guest', bridge: 'br20', addresses: [] })
  expect((await guest.run('busybox udhcpc -i eth0 -n -q -f -s /bin/true')).exit).toBe(0)
  await guest.end()
}

const leasesIn = 'cat /run/qemu-tap-hooks/*/leases-* 2>/dev/null | sort'

/** The network, how many servers there are and what leases they have given, and whether a DHCP client looks after which link. */
async function sight(lab: Lab): Promise<string> {
  const servers = await processesLike(lab, 'qemu-tap-hooks-dnsmasq *')
  const leases = await lab.ok('host', ['sh', '-c', leasesIn])
  const clients = await Promise.all(
    ['eth0', 'br0'].map(async (dev) => (await processesLike(lab, `/*dhclient *${dev} `)).length > 0),
  )
  const managed = await Promise.all(['eth0', 'br0'].map((dev) => managedBy(lab, dev)))
  const units = await lab.ok('host', [
    'sh',
    '-c',
    'find /run/systemd/network -name "*qemu*" 2>/dev/null | sort',
  ])
  return `${await shot(lab)}\n${managed.join('')}${units}${servers.length} servers\n${leases}\nclients: ${clients.join(' ')}`
}

async function openScene(mode: Mode, command: Name): Promise<{ lab: Lab; faulty: Faulty; before: string }> {
  const lab = await openLab(mode.lab)
  // Loaded with the first rule, and the kernel keeps their settings.
  const closed = 'for t in iptables-nft ip6tables-nft; do $t -P FORWARD DROP; done'
  await lab.ok('host', ['sh', '-ec', closed])
  await mode.prepare?.(lab)
  await lab.ok('host', words(mode.up))
  await mode.use?.(lab)
  await lab.ok('host', words(mode.down))
  if (command === 'brdown') await lab.ok('host', words(mode.up))
  const before = await sight(lab)
  expect(before.includes('192.168.20.5')).toBe(mode.use !== undefined)
  return { lab, faulty: await faultyIp(lab), before }
}

const most = 60

interface Round {
  readonly faultAt: (at: number) => Fault
  readonly exit: number
  readonly settled?: (lab: Lab) => Promise<void>
}

/** A fault at each line until the command is through; what was not put back, and how many lines were met. */
async function atEachLine(
  [mode, command]: readonly [Mode, Name],
  { faultAt, exit: wanted, settled }: Round,
): Promise<{ problems: readonly string[]; lines: number }> {
  const { lab, faulty, before } = await openScene(mode, command)
  const problems: string[] = []
  try {
    for (let at = 1; at <= most; at += 1) {
      const { exit, stderr } = await faulty.run(lineOf(mode, command), faultAt(at))
      if (faulty.hit() === '') return { problems, lines: at - 1 }
      await settled?.(lab)
      const ended = exit === wanted ? [] : [`exit ${exit}: ${stderr}`]
      const left = diffSnapshots(before, await sight(lab))
      problems.push(...[...ended, ...left].slice(0, 6).map((each) => `${at} (${faulty.hit()}): ${each}`))
      if (left.length > 0) return { problems, lines: at }
    }
    return { problems, lines: most }
  } finally {
    await lab.close()
  }
}

const scenes = Object.entries<Mode>(modes).flatMap(([name, mode]) =>
  names.map((command) => ({ name, mode, command })),
)

describe.each(scenes)('$command of a bridge $name', ({ mode, command }) => {
  test.each([
    { name: 'refused', exit: 1, faultAt: (at: number): Fault => ({ kind: 'refuse', at }) },
    { name: 'at which ip dies', exit: 1, faultAt: (at: number): Fault => ({ kind: 'die', at }) },
    {
      name: 'at which it is killed',
      exit: 137,
      faultAt: (at: number): Fault => ({ kind: 'watched', at }),
      settled: (lab: Lab) => until('the watchdog is done', async () => (await watchdogs(lab)).length === 0),
    },
  ])('puts everything back at any line $name', async (round) => {
    const { problems, lines } = await atEachLine([mode, command], round)
    expect(problems).toEqual([])
    expect(lines).toBeGreaterThanOrEqual(mode.leastLines[command])
    expect(lines).toBeLessThan(most)
  })
})

type Program = 'nft' | 'dnsmasq' | 'xtables-nft-multi'

// Only in a mount namespace of the command's own.
const inPlaceOf = (program: Program): string =>
  `mount --bind "$1" "$(readlink -f /usr/sbin/${program})"; shift; exec "$@"`

const firstOrders: Readonly<Record<Program, string>> = {
  nft: String.raw`*/nft\ -f`,
  dnsmasq: String.raw`*\ --interface=*`,
  'xtables-nft-multi': String.raw`*-restore\ *`,
}

/** One that fails at its first order, or takes its caller along; each keeps the name by which it was called. */
function brokenProgram(lab: Lab, program: Program, deed: string): string {
  const path = join(lab.dir, program)
  const name = program === 'dnsmasq' ? 'qemu-tap-hooks-dnsmasq' : '"${0##*/}"'
  const text = `#!/bin/bash
case "$0 $1" in ${firstOrders[program]}) if [ ! -e ${lab.dir}/met ]; then touch ${lab.dir}/met; ${deed}; fi ;; esac
exec -a ${name} ${lab.dir}/real-${program} "$@"
`
  writeFileSync(path, text, { mode: 0o755 })
  return path
}

const deeds = [
  { name: 'refuses', deed: 'echo no >&2; exit 1', exit: 1 },
  { name: 'dies', deed: 'kill -9 $$', exit: 1 },
  { name: 'is there when its caller is killed', deed: outlivingItsCaller, exit: 137 },
] as const
const served = modes['with NAT and a server']
const orders = [
  { command: 'brup', program: 'nft', mode: served },
  { command: 'brdown', program: 'nft', mode: served },
  { command: 'brup', program: 'dnsmasq', mode: served },
  { command: 'brup', program: 'xtables-nft-multi', mode: modes['on the LAN'] },
  { command: 'brdown', program: 'xtables-nft-multi', mode: modes['on the LAN'] },
] as const

describe.each(orders)('$command', ({ command, program, mode }) => {
  test.each(deeds)(`puts everything back when ${program} $name`, async ({ deed, exit }) => {
    const { lab, before } = await openScene(mode, command)
    try {
      const real = `${lab.dir}/real-${program}`
      await lab.ok('host', ['sh', '-c', `cp "$(readlink -f /usr/sbin/${program})" ${real}`])
      const path = brokenProgram(lab, program, deed)
      const broken = ['unshare', '--mount', 'sh', '-ec', inPlaceOf(program), program, path]
      const ending = await lab.run('host', [...broken, ...words(lineOf(mode, command))])
      expect([ending.exit, ending.stderr]).toEqual([exit, expect.anything()])
      await until('the watchdog is done', async () => (await watchdogs(lab)).length === 0)
      expect(diffSnapshots(before, await sight(lab))).toEqual([])
    } finally {
      await lab.close()
    }
  })
})

test('a trial of a bridge with NAT ends with everything as it was, also under another one', async () => {
  await inLab(async (lab) => {
    const before = await shot(lab)
    const trial = await lab.start('host', [...words(served.up), '--try', '3'])
    await until('the trial has begun', () => Promise.resolve(trial.stderr().includes('is on trial')))
    expect((await run(lab, 'brup br21 --nat --address 192.168.21.1/24 --address fd21::1/64')).exit).toBe(0)
    expect((await trial.exited).exit).toBe(1)
    const forwarding = 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding'
    expect(await lab.ok('host', ['sh', '-c', forwarding])).toBe('1\n1\n')
    await lab.ok('host', [bin('brdown'), 'br21'])
    expect(diffSnapshots(before, await shot(lab))).toEqual([])
  })
})
