import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

import { bin, faultyIp, shot, type Fault, type Faulty } from '../helpers/faults.ts'
import { inLab, run, until } from '../helpers/tap.ts'
import { processesLike, watchdogs } from '../helpers/watchdog.ts'
import { openLab, type Lab } from '../lab/lab.ts'
import { diffSnapshots } from '../lab/snapshot.ts'

/** What goes wrong with a bridge that has no uplink leaves addresses, chains, settings, links and servers as they were. */

const network = ['--address', '192.168.20.1/24', '--address', 'fd20::1/64']
const up = ['brup', 'br20', '--nat', ...network, '--dhcp-range', '192.168.20.50,192.168.20.59']
const down = ['brdown', 'br20']
const commands = { brup: up, brdown: down } as const
const names = ['brup', 'brdown'] as const
type Name = (typeof names)[number]

const words = ([name = '', ...args]: readonly string[]): readonly string[] => [bin(name), ...args]

/** The network, and how many servers there are. */
async function sight(lab: Lab): Promise<string> {
  const servers = await processesLike(lab, 'qemu-tap-hooks-dnsmasq *')
  return `${await shot(lab)}\n${servers.length} servers`
}

async function openScene(command: Name): Promise<{ lab: Lab; faulty: Faulty; before: string }> {
  const lab = await openLab()
  // Loaded with the first rule, and the kernel keeps their settings.
  await lab.ok('host', words(up))
  if (command === 'brup') await lab.ok('host', words(down))
  return { lab, faulty: await faultyIp(lab), before: await sight(lab) }
}

const most = 30
const leastLines = { brup: 6, brdown: 2 } as const

interface Round {
  readonly faultAt: (at: number) => Fault
  readonly exit: number
  readonly settled?: (lab: Lab) => Promise<void>
}

/** A fault at each line until the command is through; what was not put back, and how many lines were met. */
async function atEachLine(
  command: Name,
  { faultAt, exit: wanted, settled }: Round,
): Promise<{ problems: readonly string[]; lines: number }> {
  const { lab, faulty, before } = await openScene(command)
  const problems: string[] = []
  try {
    for (let at = 1; at <= most; at += 1) {
      const { exit, stderr } = await faulty.run(commands[command], faultAt(at))
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

describe.each(names)('%s', (command) => {
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
    const { problems, lines } = await atEachLine(command, round)
    expect(problems).toEqual([])
    expect(lines).toBeGreaterThanOrEqual(leastLines[command])
    expect(lines).toBeLessThan(most)
  })
})

type Program = 'nft' | 'dnsmasq'

// Only in a mount namespace of the command's own.
const inPlaceOf = (program: Program): string =>
  `mount --bind "$1" "$(readlink -f /usr/sbin/${program})"; shift; exec "$@"`

/** One that fails at its first order, or takes its caller along; the dnsmasq keeps the name by which ours are known. */
function brokenProgram(lab: Lab, program: Program, deed: string): string {
  const path = join(lab.dir, program)
  const first = program === 'nft' ? '-f' : '--interface=*'
  const text = `#!/bin/bash
case "$1" in ${first}) if [ ! -e ${lab.dir}/met ]; then touch ${lab.dir}/met; ${deed}; fi ;; esac
${program === 'nft' ? 'exec' : 'exec -a qemu-tap-hooks-dnsmasq'} ${lab.dir}/real-${program} "$@"
`
  writeFileSync(path, text, { mode: 0o755 })
  return path
}

const deeds = [
  { name: 'refuses', deed: 'echo no >&2; exit 1', exit: 1 },
  { name: 'dies', deed: 'kill -9 $$', exit: 1 },
  { name: 'is there when its caller is killed', deed: 'kill -9 $PPID; sleep 0.3', exit: 137 },
] as const
const orders = [
  { command: 'brup', program: 'nft' },
  { command: 'brdown', program: 'nft' },
  { command: 'brup', program: 'dnsmasq' },
] as const

describe.each(orders)('$command', ({ command, program }) => {
  test.each(deeds)(`puts everything back when ${program} $name`, async ({ deed, exit }) => {
    const { lab, before } = await openScene(command)
    try {
      const real = `${lab.dir}/real-${program}`
      await lab.ok('host', ['sh', '-c', `cp "$(readlink -f /usr/sbin/${program})" ${real}`])
      const path = brokenProgram(lab, program, deed)
      const broken = ['unshare', '--mount', 'sh', '-ec', inPlaceOf(program), program, path]
      const ending = await lab.run('host', [...broken, ...words(commands[command])])
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
    const trial = await lab.start('host', [...words(up), '--try', '3'])
    await until('the trial has begun', () => Promise.resolve(trial.stderr().includes('is on trial')))
    expect((await run(lab, 'brup br21 --nat --address 192.168.21.1/24 --address fd21::1/64')).exit).toBe(0)
    expect((await trial.exited).exit).toBe(1)
    const forwarding = 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding'
    expect(await lab.ok('host', ['sh', '-c', forwarding])).toBe('1\n1\n')
    await lab.ok('host', [bin('brdown'), 'br21'])
    expect(diffSnapshots(before, await shot(lab))).toEqual([])
  })
})
