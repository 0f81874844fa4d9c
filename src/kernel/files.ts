import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** `undefined` where it cannot be read. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** What a folder holds, in the order of the names; nothing where it cannot be read. */
export function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort()
  } catch {
    return []
  }
}

/** There whole, and as it should be, when this returns. */
export function placeFile(path: string, text: string, mode: number): void {
  if (readText(path) === text) return
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
  const draft = `${path}.new`
  try {
    writeFileSync(draft, text, { mode })
    chmodSync(draft, mode)
    renameSync(draft, path)
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  }
}
