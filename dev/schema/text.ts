import { toJsonSchema } from '@valibot/to-json-schema'
import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'

import { configSchema } from '../../src/config-schema.ts'

export const schemaPath = fileURLToPath(new URL('../../docs/config.schema.json', import.meta.url))

/** The configuration's schema for editors: its keys, types and bounds, as far as JSON Schema can say them. */
export async function schemaText(): Promise<string> {
  const schema = toJsonSchema(configSchema, { typeMode: 'input', errorMode: 'ignore' })
  const text = JSON.stringify({ title: 'qemu-tap-hooks configuration', ...schema })
  return format(text, { ...(await resolveConfig(schemaPath)), filepath: schemaPath })
}
