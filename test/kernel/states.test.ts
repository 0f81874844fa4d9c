import fc from 'fast-check'
import { expect, test } from 'vitest'

import { minimise } from '../helpers/minimise.ts'
import { randomState, stateText, type RandomState } from '../helpers/random-state.ts'
import { roundTrip, type Verdict } from '../helpers/round-trip.ts'

// QTH_STATES=1000 QTH_SEED=$RANDOM for a long run of other states; the seed is printed.
const count = Number(process.env['QTH_STATES'] ?? 208)
const given = process.env['QTH_SEED']
const seeds = given === undefined ? [20_261_122, 6] : [Number(given), Number(given) + 1]
const shards = seeds.length
const perShard = Math.ceil(count / shards)

/** What brup has to refuse, since nobody could put it back as it was. */
const rightly = /cannot move the|is a duplicate/
const mostRefused = 0.05
const minimising = 120_000

interface Tally {
  readonly moved: number
  readonly refused: readonly string[]
}

const isWrong = ({ kind, lines }: Verdict): boolean =>
  kind === 'failed' || (kind === 'refused' && !rightly.test(lines.join(' ')))

/** Fewer commands that fail in the same way, with what came of them: to be typed again by hand. */
async function report(state: RandomState, seen: Verdict): Promise<string> {
  const fails = async (smaller: RandomState): Promise<boolean> => {
    const verdict = await roundTrip(smaller).catch(() => undefined)
    return verdict !== undefined && verdict.kind === seen.kind && isWrong(verdict)
  }
  const small = await minimise(state, fails, Date.now() + minimising)
  const { lines } = await roundTrip(small)
  return [
    'a state that does not come back (seeds ' + seeds.join(' and ') + '), in a lab with `bare`:',
    stateText(small),
    'ends in',
    ...(lines.length === 0 ? ['(nothing, this time)', ...seen.lines] : lines),
    'as built first:',
    stateText(state),
  ].join('\n')
}

/** Runs them one by one; fast-check makes the states, the commands are left out by `minimise`, which is faster. */
async function runShard(shard: number): Promise<Tally> {
  const refused: string[] = []
  let moved = 0
  for (const state of fc.sample(randomState, { seed: seeds[shard] ?? 0, numRuns: perShard })) {
    const verdict = await roundTrip(state)
    if (isWrong(verdict)) throw new Error(await report(state, verdict))
    if (verdict.kind === 'moved') moved += 1
    else refused.push(verdict.lines.join(' '))
  }
  return { moved, refused }
}

test.concurrent.for(Array.from({ length: shards }, (_, shard) => shard))(
  `random states move to br0 and come back (seeds ${seeds.join(' and ')}, %i)`,
  { timeout: perShard * 20_000 + minimising },
  async (shard) => {
    const { moved, refused } = await runShard(shard)
    console.log(`seed ${seeds[shard] ?? 0}: ${moved} states moved, ${refused.length} refused`)
    for (const line of refused) console.log(`  ${line}`)
    expect(refused.length).toBeLessThanOrEqual(Math.ceil(perShard * mostRefused))
  },
)
