import { randomInt } from 'node:crypto'
import { availableParallelism } from 'node:os'
import minimist from 'minimist'

export interface Options {
  readonly seed: number
  readonly numbers: readonly number[]
  readonly jobs: number
  readonly log: string
  /** Tells each case, not only the lost ones. */
  readonly verbose: boolean
}

const usage =
  'usage: npm run torture -- [--seed N] [--cases N] [--jobs N] [--log FILE] [--case N] [--verbose]'
const known = ['seed', 'cases', 'jobs', 'log', 'case', 'verbose']

/** Throws with the usage on anything unknown. */
export function optionsOf(argv: readonly string[]): Options {
  const { _: words, ...given }: Record<string, unknown> & { _: readonly string[] } = minimist([...argv], {
    string: ['log'],
    boolean: ['verbose'],
  })
  const unknown = [...Object.keys(given).filter((name) => !known.includes(name)), ...words][0]
  if (unknown !== undefined) throw new Error(`${unknown}: ${usage}`)
  const count = (name: string, standard: number): number => {
    const value = given[name] ?? standard
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 1)
      throw new Error(`--${name}: ${usage}`)
    return value
  }
  const log = given['log']
  const one = given['case'] === undefined ? undefined : count('case', 1)
  const cases = count('cases', 2000)
  return {
    seed: count('seed', randomInt(1, 1_000_000_000)),
    numbers: one === undefined ? Array.from({ length: cases }, (_, index) => index + 1) : [one],
    jobs: one === undefined ? count('jobs', availableParallelism()) : 1,
    log: typeof log === 'string' && log !== '' ? log : '.cache/torture.json',
    verbose: given['verbose'] === true || one !== undefined,
  }
}
