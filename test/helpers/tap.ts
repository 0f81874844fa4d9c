import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { openLab, type Lab, type LabOptions } from '../lab/lab.ts'
import type { Result, RunOptions } from '../lab/run.ts'
import type { Running } from '../lab/start.ts'
import { tool } from '../lab/tools.ts'
import type { Node } from '../lab/topology.ts'

/** The built commands, and taps to give them. */

export type Bin = 'brup' | 'brdown' | 'brstatus' | 'qemu-ifup' | 'qemu-ifdown'

/** The absolute path of a built command. */
export const bin = (name: Bin): string => fileURLToPath(new URL(`../../dist/bin/${name}`, import.meta.url))

export async function inLab(work: (lab: Lab) => Promise<void>, options: LabOptions = {}): Promise<void> {
  const lab = await openLab(options)
  try {
    await work(lab)
  } finally {
    await lab.close()
  }
}

/** Runs a built command on the lab's host: `run(lab, 'brup --uplink eth0')`, or the words of a list as they are. */
export const run = (lab: Lab, line: string | readonly string[], options?: RunOptions): Promise<Result> => {
  const [name, ...args] = typeof line === 'string' ? line.split(' ') : line
  return lab.run('host', [bin(name as Bin), ...args], options)
}

/** The same; its stdout. Throws when it does not exit with 0. */
export const ok = (lab: Lab, line: string, options?: RunOptions): Promise<string> => {
  const [name, ...args] = line.split(' ')
  return lab.ok('host', [bin(name as Bin), ...args], options)
}

// TUNSETIFF with IFF_TAP | IFF_NO_PI, as QEMU does it; perl-base is enough. Says its pid in the lab.
const holder = `
open(my $tun, '+<', '/dev/net/tun') or die "open: $!";
ioctl($tun, 0x400454ca, pack('a16sx22', $ARGV[0], 0x1002)) or die "TUNSETIFF: $!";
$| = 1;
print "pid $$\\n";
<STDIN>;
`

export interface HeldTap {
  readonly name: string
  /** As the lab's own processes see it. */
  readonly pid: number
  readonly running: Running
}

/** Makes a tap (or opens a persistent one) and holds it open, as a QEMU would; it has carrier from then on. */
export async function holdTap(lab: Lab, name: string, node: Node = 'host'): Promise<HeldTap> {
  const running = await lab.start(node, [tool('perl'), '-e', holder, name])
  try {
    const [, pid] = await running.waitFor(/pid (\d+)\n/)
    return { name, pid: Number(pid), running }
  } catch (error) {
    throw new Error(`tap ${name}: ${running.stderr()}`, { cause: error })
  }
}

export interface LinkView {
  readonly ifname: string
  readonly address: string
  readonly mtu: number
  readonly flags: readonly string[]
  readonly master?: string
  readonly ifalias?: string
}

/** What `ip` says of one link of the host; `undefined` where there is none. */
export async function linkOf(lab: Lab, name: string): Promise<LinkView | undefined> {
  const links = JSON.parse(await lab.ok('host', ['ip', '-j', 'link', 'show'])) as LinkView[]
  return links.find(({ ifname }) => ifname === name)
}

/** The files of the run directory with their content, as one text; empty where brup left nothing. */
export const journals = (lab: Lab): Promise<string> =>
  lab.ok('host', ['sh', '-c', 'cd /run/qemu-tap-hooks 2>/dev/null && grep -r "" . --include="journal*" || :'])

/** Waits until a condition holds; throws after ten seconds. */
export async function until(what: string, condition: () => Promise<boolean>, seconds = 10): Promise<void> {
  const deadline = Date.now() + seconds * 1000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`)
    await delay(10)
  }
}
