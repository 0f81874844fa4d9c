import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

import type { Played } from './campaign.ts'
import { faultName } from './fault.ts'

const isLost = ({ problems }: Played): boolean => problems.length > 0

interface Count {
  readonly cases: number
  readonly hit: number
  readonly lost: number
}

const countOf = (played: readonly Played[]): Count => ({
  cases: played.length,
  hit: played.filter(({ hit }) => hit).length,
  lost: played.filter(isLost).length,
})

/** By kind of fault, in alphabetical order. */
const byFault = (played: readonly Played[]): readonly (readonly [string, Count])[] => {
  const names = [...new Set(played.map((each) => faultName(each.case.fault)))].sort()
  return names.map((name) => [name, countOf(played.filter((each) => faultName(each.case.fault) === name))])
}

/** The last line of a campaign. */
export const summaryLine = (played: readonly Played[]): string => {
  const { cases, lost } = countOf(played)
  return `${cases} cases, ${cases - lost} restored, ${lost} lost`
}

/** How many of each kind of fault met the command, and the longest silence. */
export function summary(played: readonly Played[]): readonly string[] {
  const rows = byFault(played).map(
    ([name, { cases, hit, lost }]) =>
      `  ${name}: ${hit} of ${cases} hit${lost === 0 ? '' : `, ${lost} lost`}`,
  )
  const longest = ([4, 6] as const).map(
    (family) => `IPv${family} ${Math.max(0, ...played.map(({ outages }) => outages[family]))} ms`,
  )
  const { cases, hit } = countOf(played)
  return [...rows, `${hit} of ${cases} faults met their command; longest silence: ${longest.join(', ')}`]
}

const width = 300

/** What a case was and what came of it, a line each. */
export const told = ({
  case: { number, move, fault, next },
  state,
  ends,
  problems,
}: Played): readonly string[] => [
  `case ${number}: ${move.line}, then ${next}: ${faultName(fault)}`,
  `  fault: ${JSON.stringify(fault)}${move.hook === undefined ? '' : `, meanwhile: ${move.hook.line}`}`,
  ...ends.map(({ line, exit, stderr }) => `  ${line}: exit ${exit}: ${stderr.trim()}`),
  ...problems.map((problem) => `  LOST: ${problem.slice(0, width)}`),
  `  state: ${state.commands.join('; ')}`,
]

/** Written anew as a whole, so that there is never half a log. */
export function writeLog(path: string, seed: number, played: readonly Played[]): void {
  const { cases, hit, lost } = countOf(played)
  const log = {
    seed,
    cases,
    hit,
    restored: cases - lost,
    lost,
    faults: Object.fromEntries(byFault(played)),
    played: [...played]
      .sort((a, b) => a.case.number - b.case.number)
      .map(({ case: { number, move, fault, next }, ...rest }) => ({
        number,
        verdict: rest.problems.length > 0 ? 'lost' : 'restored',
        move,
        fault,
        next,
        ...rest,
      })),
  }
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(`${path}.new`, `${JSON.stringify(log, undefined, 1)}\n`)
  renameSync(`${path}.new`, path)
}
