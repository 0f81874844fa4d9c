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
[[b.e]]
f = 1
[[b.e]]
f = 2
[[b]]
[b.g]
h = 1
[[b.e]]
f = 3
[t."x y"]
z = 3`

test.each<[KeyPath, number]>([
  [['top'], 2],
  [['list'], 3],
  [['list', 1, 'inner'], 3],
  [['text'], 8],
  [['n'], 1],
  [['b'], 12],
  [['b', 0], 12],
  [['b', 0, 'c'], 13],
  [['b', 1], 14],
  [['b', 1, 'c'], 15],
  [['b', 1, 'd', 'e'], 17],
  [['b', 1, 'd'], 17],
  [['b', 1, 'missing'], 14],
  [['b', 1, 'e', 0, 'f'], 19],
  [['b', 1, 'e', 1], 20],
  [['b', 1, 'e', 1, 'f'], 21],
  [['b', 2, 'g', 'h'], 24],
  [['b', 2, 'e', 0, 'f'], 26],
  [['t', 'x y'], 27],
  [['t', 'x y', 'z'], 28],
  [[], 1],
])('%j is on line %d', (path, line) => {
  expect(lineOf(toml, path)).toBe(line)
})
