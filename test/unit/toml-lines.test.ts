import { expect, test } from 'vitest'
import { lineOf } from '../../src/toml-lines.ts'
import type { KeyPath } from '../../src/toml-lines.ts'

const toml = `# a comment with [[b]] and "
top = 1
list = [
  "]", # ]
  { inner = 2 }, [
  ["n"],
]]
text = """
[[b]]
c = 1 \\"""
"""
[[b]]
c = 1
[[b]]
"c" = '''
d = 1'''
d.e = 2
[t."x y"]
z = 3`

test.each<[KeyPath, number]>([
  [['top'], 2],
  [['list'], 3],
  [['list', 1, 'inner'], 3],
  [['text'], 8],
  [['n'], 1],
  [['b'], 1],
  [['b', 0], 12],
  [['b', 0, 'c'], 13],
  [['b', 1], 14],
  [['b', 1, 'c'], 15],
  [['b', 1, 'd', 'e'], 17],
  [['b', 1, 'd'], 17],
  [['b', 1, 'missing'], 14],
  [['t', 'x y'], 18],
  [['t', 'x y', 'z'], 19],
  [[], 1],
])('%j is on line %d', (path, line) => {
  expect(lineOf(toml, path)).toBe(line)
})
