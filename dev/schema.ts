// Writes docs/config.schema.json from the code; the tests hold the file against this.
import { writeFileSync } from 'node:fs'

import { schemaPath, schemaText } from './schema/text.ts'

writeFileSync(schemaPath, await schemaText())
