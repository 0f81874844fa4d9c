// `npm run demo`: the whole story in throw-away namespaces. Every figure is measured in this run, and the exit code is
// 0 only if everything that is claimed held.
import { accessSync, constants } from 'node:fs'

import { openLab, type Lab } from '../test/lab/lab.ts'
import { reachable } from '../test/lab/reachable.ts'
import { diffSnapshots, snapshot } from '../test/lab/snapshot.ts'
import { flow, tcpStream, type FlowReport, type StreamReport } from '../test/lab/traffic.ts'
import type { Guest } from '../test/lab/guest.ts'
import { bin, startLanGuest, targetsOf } from './demo/guests.ts'

const picture = `
   outside host ---- router ---- eth0 [ the host ]          each a network namespace of its own;
   203.0.113.9      192.168.1.1       192.168.1.50          nothing of this machine's network is touched
   fd99::9          fd01::1           fd01::50
`

const failures: string[] = []
const say = (text: string): void => void process.stdout.write(`${text}\n`)
const claim = (holds: boolean, text: string): void => {
  say(`  ${holds ? 'ok  ' : 'FAIL'}  ${text}`)
  if (!holds) failures.push(text)
}

interface Measured {
  readonly command: string
  readonly flows: readonly FlowReport[]
  readonly stream: StreamReport
}

/** Runs a command while packets and a TCP connection go through the host. */
async function measured(lab: Lab, command: 'brup' | 'brdown'): Promise<Measured> {
  const [ipv4, ipv6, stream] = [
    await flow(lab, { family: 4, rate: 2500 }),
    await flow(lab, { family: 6, rate: 2500 }),
    await tcpStream(lab),
  ]
  await pause(300)
  say(`$ sudo ${command}`)
  const { exit, stdout, stderr } = await lab.run('host', [bin(command)])
  say(`  ${(stdout + stderr).trim()}`)
  await pause(300)
  const reports = { flows: [await ipv4.stop(), await ipv6.stop()], stream: await stream.stop() }
  claim(exit === 0, `${command} ended with 0`)
  claim(
    reports.stream.survived,
    `a TCP connection through it lived on, all ${reports.stream.sent} records in order`,
  )
  return { command, ...reports }
}

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))

const outage = ({ command, flows, stream }: Measured): string => {
  const [ipv4, ipv6] = flows.map(
    ({ sent, lost, longestGap }) => `${lost} of ${sent} lost (gap ${longestGap} ms)`,
  )
  return `  ${command.padEnd(7)} IPv4 ${ipv4 ?? ''}; IPv6 ${ipv6 ?? ''}; longest TCP stall ${stream.longestStall} ms`
}

async function guestStory(lab: Lab): Promise<void> {
  say('\nTwo guests start, each with -netdev tap,script=dist/bin/qemu-ifup,downscript=dist/bin/qemu-ifdown:')
  const guests = [await startLanGuest(lab, 61), await startLanGuest(lab, 62)] as const
  await Promise.all(guests.map((guest) => guest.ready()))
  await pings(lab, guests)
  say('\n$ brstatus')
  say((await lab.ok('host', [bin('brstatus')])).trimEnd())
  const refused = await lab.run('host', [bin('brdown')])
  say(`\n$ sudo brdown\n${refused.stderr.trimEnd()}`)
  claim(refused.exit === 3, 'brdown does not pull the bridge from under a guest')
  for (const guest of guests) claim((await guest.quit()).exit === 0, 'a guest quits')
}

async function pings(lab: Lab, [first, second]: readonly [Guest, Guest]): Promise<void> {
  for (const [guest, number, other] of [
    [first, 61, 62],
    [second, 62, 61],
  ] as const) {
    for (const [who, address] of targetsOf(other)) {
      const { exit } = await guest.run(`ping -c1 -W3 ${address}`)
      claim(exit === 0, `guest${number} reaches ${who} (${address})`)
    }
    for (const address of [`192.168.1.${number}`, `fd01::${number}`]) {
      const { exit } = await lab.run('outside', ['ping', '-c1', '-W3', address])
      claim(exit === 0, `the outside host reaches guest${number} (${address})`)
    }
  }
}

/** Root in a lab makes its own /dev/net/tun; an ordinary user needs one that it may open. */
function mayMakeTaps(): boolean {
  if (process.getuid?.() === 0) return true
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK)
    return true
  } catch {
    return false
  }
}

async function story(lab: Lab): Promise<void> {
  say(picture)
  const before = await snapshot(lab)
  claim(
    (await reachable(lab)).length === 0,
    'the host reaches the outside host, and is reached, IPv4 and IPv6',
  )
  say('')
  const up = await measured(lab, 'brup')
  if (mayMakeTaps()) await guestStory(lab)
  else
    say('\nNo guests: /dev/net/tun may not be opened (run the demo as root, or: sudo chmod 666 /dev/net/tun)')
  say('')
  const down = await measured(lab, 'brdown')
  const differences = diffSnapshots(before, await snapshot(lab))
  for (const line of differences) say(`  ${line}`)
  claim(
    differences.length === 0,
    'links, addresses, routes, rules, neighbours, settings and nftables are exactly as before',
  )
  say('\nMeasured, two flows of 2,500 packets/s from outside and back, and a TCP connection:')
  for (const measurement of [up, down]) say(outage(measurement))
}

const lab = await openLab()
const stop = (): void => {
  void lab.close().finally(() => process.exit(130))
}
process.once('SIGINT', stop)
process.once('SIGTERM', stop)
try {
  await story(lab)
} finally {
  await lab.close()
}
say(
  failures.length === 0
    ? '\nAll of it held.'
    : `\n${failures.length} did not hold:\n  ${failures.join('\n  ')}`,
)
process.exitCode = failures.length === 0 ? 0 : 1
