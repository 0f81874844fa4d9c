import fc from 'fast-check'

/** Command lines from random words; an empty word drops out. */

export type Words = fc.Arbitrary<string>

export const pick = (...choices: readonly string[]): Words => fc.constantFrom(...choices)

/** Nothing, `times` times as often as one of these. */
export const rarely = (times: number, ...choices: readonly string[]): Words =>
  fc.oneof({ weight: times, arbitrary: fc.constant('') }, { weight: 1, arbitrary: pick(...choices) })

export const line = (...parts: readonly (string | Words)[]): Words =>
  fc
    .tuple(...parts.map((part) => (typeof part === 'string' ? fc.constant(part) : part)))
    .map((words) => words.filter((word) => word !== '').join(' '))

export const some = (words: Words, maxLength: number, minLength = 0): fc.Arbitrary<readonly string[]> =>
  fc.array(words, { minLength, maxLength, size: 'max' })

export const oneOf = (...weighted: readonly (readonly [number, Words])[]): Words =>
  fc.oneof(...weighted.map(([weight, arbitrary]) => ({ weight, arbitrary })))
