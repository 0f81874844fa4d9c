import type { Lab } from '../lab/lab.ts'
import { withoutDad } from '../lab/settle.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'
import { inLab, ok, run } from './tap.ts'

/** What a configuration has words for: secondaries, another table with rules, a permanent neighbour. */
const configured = [
  'addr add 192.168.1.51/24 dev eth0',
  'addr add 10.9.0.1/24 dev eth0 label eth0:9',
  'addr add fd01::51/64 dev eth0',
  'route add 10.7.0.0/16 via 192.168.1.1 dev eth0 mtu 1300 src 192.168.1.51',
  'route add default via 192.168.1.1 dev eth0 table 100',
  'route add fd77::/64 via fd01::1 dev eth0 metric 5',
  'rule add iif eth0 lookup 100 priority 500',
  'rule add from 192.168.1.51 lookup 100 priority 501',
  'neigh replace 192.168.1.77 lladdr 02:00:00:00:00:77 dev eth0 nud permanent',
]
const others = ['nexthop add id 5 via 192.168.1.1 dev eth0', 'route add 10.5.0.0/16 nhid 5']

export const layLoad = (lab: Lab): Promise<void> =>
  withoutDad(lab, ['eth0'], () => lab.ip('host', configured))

/** A laden host with br0 raised, and the snapshot from before that. */
export const inRaisedLab = (work: (lab: Lab, before: string) => Promise<void>): Promise<void> =>
  inLab(async (lab) => {
    await layLoad(lab)
    await lab.ip('host', others)
    const before = await snapshot(lab)
    await ok(lab, 'brup')
    await work(lab, before)
  })

export const shell = (lab: Lab, line: string): Promise<string> => lab.ok('host', ['sh', '-ec', line])

/** What brstatus tells, the same in both of its forms. Throws where they differ. */
export async function driftOf(lab: Lab): Promise<readonly string[]> {
  const { drift } = JSON.parse(await ok(lab, 'brstatus --json')) as { drift: readonly string[] }
  const text = (await ok(lab, 'brstatus')).split('\n').filter((line) => line.startsWith('  drift: '))
  const told = drift.map((line) => `  drift: ${line}`)
  if (text.join('\n') !== told.join('\n'))
    throw new Error(`brstatus says\n${text.join('\n')}\nand with --json\n${told.join('\n')}`)
  return drift
}

/** What brdown leaves that was not so before. Empty: nothing. */
export async function lowered(lab: Lab, before: string): Promise<readonly string[]> {
  const { exit, stderr } = await run(lab, 'brdown')
  const said = exit === 0 ? [] : [`brdown exited with ${exit}: ${stderr}`]
  return [...said, ...diffSnapshots(before, await snapshot(lab))]
}
