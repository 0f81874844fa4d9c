import { expect, test } from 'vitest'

import { bin, shot } from '../helpers/faults.ts'
import { refuseDetours } from '../helpers/soon.ts'
import { openLab, type Lab, type LabOptions } from '../lab/lab.ts'
import { reachable } from '../lab/reachable.ts'
import { withoutDad } from '../lab/settle.ts'
import { diffSnapshots } from '../lab/snapshot.ts'

/** More than the usual: secondaries, another table with rules, a route with attributes, a permanent neighbour, the MTU. */
const laden = [
  'addr add 192.168.1.51/24 dev eth0',
  'addr add 10.9.0.1 peer 10.9.0.2/32 dev eth0 label eth0:9',
  'addr add fd01::51/64 dev eth0',
  'addr add fd01::52/128 dev eth0 preferred_lft 0',
  'link set eth0 mtu 1400',
  'route add 10.7.0.0/16 via 192.168.1.1 dev eth0 mtu 1300 src 192.168.1.51',
  'route add 10.7.0.0/16 via 192.168.1.1 dev eth0 metric 50',
  'route add default via 192.168.1.1 dev eth0 table 100',
  'route add ::/0 via fd01::1 dev eth0 table 100',
  'route add fd77::/64 via fd01::1 dev eth0 metric 5',
  'route add blackhole 10.66.0.0/16',
  'rule add from 192.168.1.51 lookup 100',
  'rule add iif eth0 lookup 100 priority 500',
  'neigh replace 192.168.1.77 lladdr 02:00:00:00:00:77 dev eth0 nud permanent',
]

interface Case extends LabOptions {
  readonly name: string
  readonly more?: readonly string[]
}

const cases: readonly Case[] = [
  { name: 'a plain host' },
  { name: 'strict rp_filter', rpFilter: 1 },
  { name: 'a default route of metric 100', defaultMetric: 100 },
  { name: 'a second uplink with a metric just above', defaultMetric: 100, secondUplink: { metric: 101 } },
  { name: 'a laden host', more: laden },
]

/** The commands of a script that `--dry-run` printed; what it feeds to one `ip` stays one. */
function commandsOf(script: string): readonly string[] {
  const commands: string[] = []
  let batch: string[] | undefined
  for (const line of script.split('\n')) {
    if (batch !== undefined) batch.push(line)
    else if (line.endsWith("<<'END'")) batch = [line]
    else if (line !== '' && !line.startsWith('#')) commands.push(line)
    if (batch !== undefined && line === 'END') {
      commands.push(batch.join('\n'))
      batch = undefined
    }
  }
  return commands
}

/** Runs the script command by command; what was refused, and what was not reachable after which command. */
async function walk(lab: Lab, script: string): Promise<{ steps: number; problems: readonly string[] }> {
  const problems: string[] = []
  const commands = commandsOf(script)
  for (const command of commands) {
    const { exit, stderr } = await lab.run('host', ['sh', '-ec', command])
    const refused = exit === 0 ? [] : [`exit ${exit}: ${stderr.trim()}`]
    problems.push(...[...refused, ...(await reachable(lab))].map((each) => `after ${command}: ${each}`))
  }
  return { steps: commands.length, problems }
}

async function open({ more = [], ...options }: Case): Promise<Lab> {
  const lab = await openLab(options)
  if (options.secondUplink !== undefined) await refuseDetours(lab)
  if (more.length > 0) await withoutDad(lab, ['eth0'], () => lab.ip('host', more))
  expect(await reachable(lab)).toEqual([])
  return lab
}

test.each(cases)('$name is reachable after every step of brup, which its dry run prints', async (each) => {
  const walked = await open(each)
  const { steps, problems } = await walk(walked, await walked.ok('host', [bin('brup'), '--dry-run']))
  const byHand = await shot(walked)
  await walked.close()
  const moved = await open(each)
  await moved.ok('host', [bin('brup')])
  const byBrup = await shot(moved)
  await moved.close()
  expect(problems).toEqual([])
  expect(steps).toBeGreaterThan(15)
  expect(diffSnapshots(byBrup, byHand)).toEqual([])
  expect(byHand).toContain('master br0')
})

test.each(cases)('$name is reachable after every step of brdown, which its dry run prints', async (each) => {
  const lab = await open(each)
  const before = await shot(lab)
  await lab.ok('host', [bin('brup')])
  expect(await shot(lab)).not.toBe(before)
  const { steps, problems } = await walk(lab, await lab.ok('host', [bin('brdown'), '--dry-run']))
  const byHand = await shot(lab)
  await lab.close()
  expect(problems).toEqual([])
  expect(steps).toBeGreaterThan(8)
  expect(diffSnapshots(before, byHand)).toEqual([])
})
