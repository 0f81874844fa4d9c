import { expect, test } from 'vitest'

import { runCampaign, type Played } from '../../dev/torture/campaign.ts'
import { told } from '../../dev/torture/log.ts'

/** A short fault campaign (`npm run torture`), the same in every run: this seed draws many kinds of fault. */
const seed = 153
const count = 30
/** Faults that come when the command is over, or find nothing to meet, show nothing. */
const leastHit = 20

test(`a short fault campaign (seed ${seed}) loses nothing`, { timeout: 600_000 }, async () => {
  const played: Played[] = []
  await runCampaign({
    seed,
    numbers: Array.from({ length: count }, (_, index) => index + 1),
    jobs: 2,
    onPlayed: (each) => played.push(each),
  })
  const lost = played.filter(({ problems }) => problems.length > 0)
  expect(lost.flatMap(told)).toEqual([])
  expect(played).toHaveLength(count)
  expect(played.filter(({ hit }) => hit).length).toBeGreaterThanOrEqual(leastHit)
})
