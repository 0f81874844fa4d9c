import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { readText } from './files.ts'

/** There, and as it should be, when this returns. */
export function placeScript(path: string, text: string): void {
  if (readText(path) === text) return
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
  const draft = `${path}.new`
  writeFileSync(draft, text, { mode: 0o755 })
  chmodSync(draft, 0o755)
  renameSync(draft, path)
}
