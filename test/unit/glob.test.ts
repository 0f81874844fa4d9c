import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fitsGlob, isPlain } from '../../src/glob.ts'

test.each<[string, string, boolean]>([
  ['tap0', 'tap0', true],
  ['tap0', 'tap01', false],
  ['tap0', 'xtap0', false],
  ['tap*', 'tap', true],
  ['tap*', 'tap12', true],
  ['*', '', true],
  ['*-lab', 'vm1-lab', true],
  ['tap?', 'tap', false],
  ['tap?', 'tap1', true],
  ['tap?', 'tap12', false],
  ['tap[0-4]', 'tap3', true],
  ['tap[0-4]', 'tap5', false],
  ['tap[!0-4]', 'tap5', true],
  ['tap[!0-4]', 'tap3', false],
  ['tap[ab]', 'tapb', true],
  ['tap[]a]', 'tap]', true],
  ['tap[a-]', 'tap-', true],
  ['tap[z-a]', 'tapb', false],
  ['tap[', 'tap[', true],
  ['tap[x', 'tap[x', true],
  ['tap\\*', 'tap*', true],
  ['tap\\*', 'tapx', false],
  ['a.b', 'axb', false],
  ['a+(b)|c$', 'a+(b)|c$', true],
  ['{a}', '{a}', true],
])('%j and %j: %s', (pattern, text, expected) => {
  expect(fitsGlob(pattern, text)).toBe(expected)
})

test('every pattern compiles, and an escaped text fits itself alone', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string(), (pattern, text) => {
      expect(typeof fitsGlob(pattern, text)).toBe('boolean')
      const escaped = text.replace(/[\\*?[]/gu, '\\$&')
      expect(fitsGlob(escaped, text)).toBe(true)
      expect(fitsGlob(escaped, `${text}x`)).toBe(false)
    }),
  )
})

test.each<[string, boolean]>([
  ['tap0', true],
  ['tap*', false],
  ['tap?', false],
  ['tap[01]', false],
  ['tap\\*', true],
  ['tap\\\\*', false],
])('%j fits one text only: %s', (pattern, is) => {
  expect(isPlain(pattern)).toBe(is)
})
