import { Ajv } from 'ajv'
import { readFileSync } from 'node:fs'
import { parse } from 'smol-toml'
import { expect, test } from 'vitest'
import { readmePath } from '../../dev/readme/parts.ts'
import { schemaPath, schemaText } from '../../dev/schema/text.ts'
import { parseConfig } from '../../src/config.ts'

/** What editors get for the configuration. */

const schema = readFileSync(schemaPath, 'utf8')
const validate = new Ajv({ strictTypes: false }).compile(JSON.parse(schema) as object)

test('is as the code has it (npx tsx dev/schema.ts writes it)', async () => {
  expect(schema).toBe(await schemaText())
})

test('takes the README’s example, and so does the program', () => {
  const [, example = ''] = /```toml\n([^]*?)```/u.exec(readFileSync(readmePath, 'utf8')) ?? []
  expect(parseConfig(example, 'README').bridges.length).toBeGreaterThan(1)
  expect([validate(parse(example)), validate.errors]).toEqual([true, null])
})

test.each([
  ['[[bridge]]\nname = "a"\nnatt = true', /additional properties/],
  ['[[bridge]]\nname = "a"\nmtu = 67', /must be >= 68/],
  ['[[bridge]]\nname = "a"\nnat = "yes"', /must be boolean/],
  ['[[bridge]]\n', /required property 'name'/],
  ['[[tap]]\nmatch = ""', /fewer than 1 char/],
])('%j is wrong', (toml, says) => {
  expect(validate(parse(toml))).toBe(false)
  expect(validate.errors?.map(({ message }) => message).join()).toMatch(says)
})
