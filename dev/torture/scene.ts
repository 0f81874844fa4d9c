import { readlinkSync } from 'node:fs'

import { faultyIp, shot, type Faulty } from '../../test/helpers/faults.ts'
import { buildScript } from '../../test/helpers/random-state.ts'
import { reachableSoon, refuseDetours } from '../../test/helpers/soon.ts'
import { holdTap } from '../../test/helpers/tap.ts'
import { openLab, type Lab } from '../../test/lab/lab.ts'
import { diffSnapshots } from '../../test/lab/snapshot.ts'
import { startAgent, type Agent } from './agent.ts'
import type { Place } from './cases.ts'
import { timed, type Measure } from './measure.ts'
import { startProbe, type Probe } from './probe.ts'
import type { InitialState } from './states.ts'

/** A lab with its host in one of the initial states, seen both lowered and raised. */
export interface Scene {
  readonly lab: Lab
  readonly state: InitialState
  readonly faulty: Faulty
  readonly agent: Agent
  readonly probe: Probe
  /** The host's network namespace, as `net:[4026531840]`. */
  readonly namespace: string
  /** The lock's path, as this process sees it. */
  readonly lock: string
  readonly views: Readonly<Record<Place, string>>
  readonly measures: Readonly<Record<'brup' | 'brdown', Measure>>
}

/** A state that cannot be used: the host is silent in it, or brup rightly refuses it. */
export class Unusable extends Error {}

export const taps = ['tap0', 'tap1', 'tap2'] as const
/** Somebody holds it open, as a guest would. */
const heldTap = 'tap1'

/** What hangs on the order and number of a bridge's ports: they are numbered as they come. */
const portTraits = [/ tso_max_size \d+ tso_max_segs \d+/, / port_id \S+ port_no \S+ designated_port \S+/]

/** Taps come and go with the guests: they are judged apart. */
export const view = async ({ lab }: Pick<Scene, 'lab'>): Promise<string> =>
  (await shot(lab))
    .split('\n')
    .filter((line) => !/\btap\d/.test(line))
    .map((line) => portTraits.reduce((text, trait) => text.replace(trait, ''), line))
    .join('\n')

// In the lab's own mount namespace, so that all that is started in it sees it. Of a size that can be filled up.
const ownRunDir =
  'mkdir /run/qemu-tap-hooks && mount -t tmpfs -o mode=755,size=4m torture /run/qemu-tap-hooks'

async function build(state: InitialState): Promise<Lab> {
  const { second, rpFilter } = state
  const lab = await openLab({ bare: true, rpFilter, ...(second ? { secondUplink: { metric: 0 } } : {}) })
  try {
    await lab.ok('host', ['nsenter', '--mount=/proc/1/ns/mnt', 'sh', '-ec', ownRunDir])
    await lab.ok('host', ['sh', '-c', buildScript(state)])
    await lab.ip(
      'host',
      taps.map((tap) => `tuntap add ${tap} mode tap`),
    )
    await holdTap(lab, heldTap)
    if (second) await refuseDetours(lab)
    return lab
  } catch (error) {
    await lab.close()
    throw error
  }
}

async function expectReachable(lab: Lab): Promise<void> {
  const first = await reachableSoon(lab)
  const { silent } = first.silent.length === 0 ? first : await reachableSoon(lab)
  if (silent.length > 0) throw new Unusable(silent.join(', '))
}

/** A round trip without a fault. Throws with what is wrong; `Unusable` where brup refuses. */
async function tryOut(
  scene: Pick<Scene, 'lab' | 'state' | 'faulty' | 'lock'>,
): Promise<Pick<Scene, 'views' | 'measures'>> {
  const before = await view(scene)
  const up = await timed(scene, ['brup'])
  if (up.exit === 3) throw new Unusable(up.stderr)
  if (up.exit !== 0) throw new Error(`brup without a fault: exit ${up.exit}: ${up.stderr}`)
  const raised = await view(scene)
  const down = await timed(scene, ['brdown'])
  if (down.exit !== 0) throw new Error(`brdown without a fault: exit ${down.exit}: ${down.stderr}`)
  const lowered = await view(scene)
  // Having had a port leaves its traces on a bridge that was there before, whoever gave it one.
  const left = scene.state.adopted ? [] : diffSnapshots(before, lowered)
  if (left.length > 0) throw new Error(`brup and brdown without a fault:\n${left.slice(0, 6).join('\n')}`)
  return { views: { lowered, raised }, measures: { brup: up.measure, brdown: down.measure } }
}

/** Opens a lab in that state; the caller closes it. Throws `Unusable` for a state that is of no use. */
export async function openScene(state: InitialState): Promise<Scene> {
  const lab = await build(state)
  try {
    await expectReachable(lab)
    const agent = await startAgent(lab)
    const namespace = readlinkSync(`/proc/${agent.pid}/ns/net`)
    const runDir = `/proc/${agent.pid}/root/run/qemu-tap-hooks/${/\d+/.exec(namespace)?.[0] ?? ''}`
    const parts = { lab, state, agent, namespace, lock: `${runDir}/lock.lock`, faulty: await faultyIp(lab) }
    const known = await tryOut(parts)
    await expectReachable(lab)
    return { ...parts, ...known, probe: await startProbe(lab) }
  } catch (error) {
    await lab.close()
    throw error
  }
}
