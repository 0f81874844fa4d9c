import { fileURLToPath } from 'node:url'

import { openLab, type Lab } from '../lab/lab.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'
import { diffRaised } from './raised.ts'
import { buildScript, type RandomState } from './random-state.ts'
import { look } from './sight.ts'

export interface Verdict {
  readonly kind: 'moved' | 'refused' | 'failed'
  /** Why, a line each. */
  readonly lines: readonly string[]
  /** The commands that the kernel took no notice of. */
  readonly dropped: readonly string[]
}

const folder = process.env['QTH_BIN'] ?? fileURLToPath(new URL('../../dist/bin', import.meta.url))

const isBlank = (text: string): boolean => text.trim() === ''

/** Nothing has changed since. */
async function driftOf(lab: Lab): Promise<string[]> {
  const status = await lab.ok('host', [`${folder}/brstatus`, '--json'])
  return (JSON.parse(status) as { drift: string[] }).drift.map((each) => `drift: ${each}`)
}

async function moveThere(lab: Lab): Promise<Omit<Verdict, 'dropped'>> {
  const before = await snapshot(lab)
  const sight = await look(lab)
  const up = await lab.run('host', [`${folder}/brup`, '--uplink', 'eth0', '--check-gateway', '0'])
  const upLines = [`brup exited with ${up.exit}`, ...up.stderr.trim().split('\n')]
  if (up.exit !== 0) {
    const left = diffSnapshots(before, await snapshot(lab)).map((each) => `left behind: ${each}`)
    return { kind: up.exit === 3 && left.length === 0 ? 'refused' : 'failed', lines: [...upLines, ...left] }
  }
  const raised = [...diffRaised(sight, await look(lab)), ...(await driftOf(lab))].map(
    (each) => `raised: ${each}`,
  )
  const down = await lab.run('host', [`${folder}/brdown`])
  const downLines =
    down.exit === 0 ? [] : [`brdown exited with ${down.exit}`, ...down.stderr.trim().split('\n')]
  const left = diffSnapshots(before, await snapshot(lab)).map((each) => `lowered: ${each}`)
  const lines = [...raised, ...downLines, ...left].filter((each) => !isBlank(each))
  return { kind: lines.length === 0 ? 'moved' : 'failed', lines }
}

/** Builds the state in a lab of its own, takes it through brup and brdown, and compares it at every stop. */
export async function roundTrip(state: RandomState): Promise<Verdict> {
  const lab = await openLab({ bare: true, ...(state.second ? { secondUplink: { metric: 100 } } : {}) })
  try {
    const said = await lab.ok('host', ['sh', '-c', buildScript(state)])
    const dropped = said.split('\n').filter((each) => each !== '')
    return { ...(await moveThere(lab)), dropped }
  } finally {
    await lab.close()
  }
}
