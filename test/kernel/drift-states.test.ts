import fc from 'fast-check'
import { test } from 'vitest'

import { driftOf, inRaisedLab, lowered } from '../helpers/laden.ts'
import { randomDrift } from '../helpers/random-drift.ts'
import { run } from '../helpers/tap.ts'

// QTH_DRIFTS=500 QTH_SEED=$RANDOM for a long run of others; the seed is printed when one fails.
const count = Number(process.env['QTH_DRIFTS'] ?? 24)
const seed = Number(process.env['QTH_SEED'] ?? 20_261_121)
const minimising = 120_000

/** What is wrong after the drift and, if it is to be mended first, the repair. */
async function faults(commands: readonly string[], isMended: boolean): Promise<readonly string[]> {
  const found: string[] = []
  await inRaisedLab(async (lab, before) => {
    const script = commands.map((command) => `( ${command} ) 2>/dev/null || :`).join('\n')
    await lab.ok('host', ['sh', '-c', script])
    if (isMended) {
      const { exit, stderr } = await run(lab, 'brup')
      if (exit !== 0) found.push(`brup exited with ${exit}: ${stderr}`)
      found.push(...(await driftOf(lab)).map((line) => `still: ${line}`))
    }
    found.push(...(await lowered(lab, before)))
  })
  return found
}

test.each([true, false])(
  'whatever somebody took, changed or put back, brdown leaves nothing of it (mended first: %s)',
  { timeout: count * 20_000 + minimising },
  async (isMended) => {
    const property = fc.asyncProperty(randomDrift, async (commands) => {
      const found = await faults(commands, isMended)
      if (found.length > 0) throw new Error(`${commands.join('\n')}\nends in\n${found.join('\n')}`)
    })
    await fc.assert(property, {
      seed,
      numRuns: Math.ceil(count / 2),
      interruptAfterTimeLimit: count * 10_000 + minimising,
      markInterruptAsFailure: true,
    })
  },
)
