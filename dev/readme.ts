// Writes the generated parts of README.md from the code; the tests hold the file against this.
import { readFileSync, writeFileSync } from 'node:fs'

import { readmePath, withGenerated } from './readme/parts.ts'

writeFileSync(readmePath, withGenerated(readFileSync(readmePath, 'utf8')))
