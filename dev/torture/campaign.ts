import { caseOf, type Case } from './cases.ts'
import { playCase, type Finding } from './one-case.ts'
import { openScene, Unusable, type Scene } from './scene.ts'
import { statesOf, type InitialState } from './states.ts'

/** A case with all that came of it. */
export interface Played extends Finding {
  readonly case: Case
  readonly state: InitialState
}

export interface Campaign {
  readonly seed: number
  /** The numbers of the cases to play. */
  readonly numbers: readonly number[]
  /** Labs at once. */
  readonly jobs: number
  readonly onPlayed: (played: Played) => void
}

/** So many cases share an initial state, and a lab as long as nothing is lost in it. */
const groupSize = 10
const groupOf = (number: number): number => Math.floor((number - 1) / groupSize)

const nothing: Finding = {
  hit: false,
  ends: [],
  settledAfter: 0,
  outages: { 4: 0, 6: 0 },
  problems: [],
  trace: [],
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

interface Opened {
  readonly scene: Scene | undefined
  readonly state: InitialState
  /** Of states in which brup and brdown went wrong without any fault. */
  readonly problems: readonly string[]
}

/** A lab in the first of these states that is of use. */
async function openFirst(states: readonly InitialState[]): Promise<Opened> {
  const problems: string[] = []
  for (const state of states) {
    try {
      return { scene: await openScene(state), state, problems }
    } catch (error) {
      if (!(error instanceof Unusable)) problems.push(messageOf(error), ...state.commands)
    }
  }
  throw new Error(['no lab can be used', ...problems].join('\n'))
}

async function playIn({ scene, state, problems }: Opened, number: number, seed: number): Promise<Played> {
  const played = caseOf(seed, number)
  try {
    const finding = scene === undefined ? nothing : await playCase(scene, played)
    return { case: played, state, ...finding, problems: [...problems, ...finding.problems] }
  } catch (error) {
    return { case: played, state, ...nothing, problems: [...problems, messageOf(error)] }
  }
}

/** One after the other, in a fresh lab after each that was lost. */
async function playGroup({ seed, onPlayed }: Campaign, numbers: readonly number[]): Promise<void> {
  const [first = 1] = numbers
  const states = statesOf(seed, groupOf(first))
  let opened: Opened | undefined
  for (const number of numbers) {
    opened ??= await openFirst(states)
    const played = await playIn(opened, number, seed)
    onPlayed(played)
    opened = { ...opened, problems: [] }
    if (played.problems.length === 0) continue
    await opened.scene?.lab.close()
    opened = undefined
  }
  await opened?.scene?.lab.close()
}

/** Plays all cases; each is told as soon as it is over. */
export async function runCampaign(campaign: Campaign): Promise<void> {
  const groups = [...new Set(campaign.numbers.map(groupOf))].map((group) =>
    campaign.numbers.filter((number) => groupOf(number) === group),
  )
  const work = async (): Promise<void> => {
    for (let group = groups.shift(); group !== undefined; group = groups.shift())
      await playGroup(campaign, group)
  }
  await Promise.all(Array.from({ length: campaign.jobs }, work))
}
