import type { Result } from '../../test/lab/run.ts'
import type { Case, Place } from './cases.ts'
import { endsCommand, isRude, type Fault } from './fault.ts'
import { unnamed } from './named.ts'
import type { Outages } from './probe.ts'

/** What is lost, and what is not: pure, so that it can be tested by itself. */

const killed = 137
/** In milliseconds: who is silent for longer has lost the host. */
const longestOutage = 2000

/** How a command ended, and what it left. */
export interface Ending {
  readonly line: string
  readonly exit: number
  readonly stderr: string
  /** What differs from each of the two places: empty where it is that one. */
  readonly left: Readonly<Record<Place, readonly string[]>>
}

/** Where a command leads. */
export const placeOf = (line: string): Place => (line === 'brup' ? 'raised' : 'lowered')

/**
 * Where the network may be after a command that ended so, put back by whomever. One that has printed its result is
 * done, also when a signal meets it on its way out, where node listens to none any more.
 */
export function placesAfter(
  { exit, stdout }: Pick<Result, 'exit' | 'stdout'>,
  { move, fault }: Pick<Case, 'move' | 'fault'>,
): readonly Place[] {
  if (exit === 0 || (exit > 128 && stdout !== '')) return [move.to]
  return endsCommand(fault) && exit === killed ? [move.from, move.to] : [move.from]
}

const few = (lines: readonly string[]): readonly string[] => lines.slice(0, 12)

/** What is not as it may be, and not named either. */
export function strayed({ line, exit, stderr, left }: Ending, places: readonly Place[]): readonly string[] {
  const [nearest = []] = places.map((place) => left[place]).sort((a, b) => a.length - b.length)
  const bad = exit === 4 ? unnamed(nearest, stderr) : nearest
  return few(bad).map((each) => `after ${line} (exit ${exit}): ${each}`)
}

/**
 * The next command must do what it is for. After somebody's rudeness it may also say what it cannot mend, and a
 * bridge that was there before brup is not brdown's to lower again.
 */
export function judgeNext(ending: Ending, fault: Fault, isAdopted: boolean): readonly string[] {
  const { line, exit, stderr } = ending
  const mayEnd = [0, ...(isRude(fault) ? [4] : []), ...(isAdopted && line !== 'brup' ? [3] : [])]
  return [
    ...(mayEnd.includes(exit) ? [] : [`${line} ended with ${exit}: ${stderr.trim()}`]),
    ...strayed(ending, [placeOf(line)]),
  ]
}

/** What a hook said of its tap, when all is over. */
export interface HookEnding {
  readonly line: string
  readonly exit: number
  readonly stderr: string
  readonly master: string | undefined
}

/**
 * A tap whose qemu-ifup said 0 is on the bridge, unless --force took it away; one for which it failed is on none. What
 * qemu-ifdown took off may be put back with all the rest: the guest takes its tap along when it ends.
 */
export function judgeHook({ line, exit, stderr, master }: HookEnding, isForced: boolean): readonly string[] {
  const isRight = exit === 0 ? isForced || master === 'br0' : master === undefined
  if (line.startsWith('qemu-ifdown') || isRight) return []
  return [`${line} ended with ${exit} (${stderr.trim()}), and the tap's bridge is ${master ?? 'none'}`]
}

export const judgeOutages = (outages: Outages): readonly string[] =>
  ([4, 6] as const).flatMap((family) =>
    outages[family] > longestOutage ? [`IPv${family} was silent for ${outages[family]} ms`] : [],
  )
