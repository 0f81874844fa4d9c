/** Keys and ordinals from the document's root: `['bridge', 1, 'address', 0]`. */
export type KeyPath = readonly (string | number)[]

/**
 * The 1-based line of the value at the path in a TOML document that parses, or of the nearest thing around it
 * that has a line of its own (list items and inline tables have none).
 */
export function lineOf(toml: string, path: KeyPath): number {
  const lines = new Map(entries(toml))
  for (let length = path.length; length > 0; length--) {
    const line = lines.get(textOf(path.slice(0, length)))
    if (line !== undefined) return line
  }
  return 1
}

const textOf = (path: KeyPath): string => JSON.stringify(path)

/** Each table header and each key with the line that it stands on. */
function* entries(toml: string): Generator<[string, number]> {
  let table: KeyPath = []
  const ordinals = new Map<string, number>()
  for (const [line, text] of statements(toml)) {
    const list = /^\s*\[\[(.+?)\]\]/u.exec(text)?.[1]
    const header = list ?? /^\s*\[(.+?)\]/u.exec(text)?.[1]
    const key = /^\s*((?:"[^"]*"|'[^']*'|[^=#"'])+?)\s*=/u.exec(text)?.[1]
    if (header !== undefined) {
      table = inLatest(keysOf(header), ordinals, list !== undefined)
      if (list !== undefined) {
        const ordinal = (ordinals.get(textOf(table)) ?? -1) + 1
        ordinals.set(textOf(table), ordinal)
        if (ordinal === 0) yield [textOf(table), line]
        table = [...table, ordinal]
      }
      yield [textOf(table), line]
    } else if (key !== undefined) {
      const keys = keysOf(key)
      for (let length = 1; length <= keys.length; length++)
        yield [textOf([...table, ...keys.slice(0, length)]), line]
    }
  }
}

/** `[[a.b]]` and `[a.b]` are in the latest `[[a]]`, and `[a]` is, if there is one. */
function inLatest(keys: readonly string[], ordinals: ReadonlyMap<string, number>, isList: boolean): KeyPath {
  let path: KeyPath = []
  keys.forEach((key, index) => {
    path = [...path, key]
    const ordinal = isList && index === keys.length - 1 ? undefined : ordinals.get(textOf(path))
    if (ordinal !== undefined) path = [...path, ordinal]
  })
  return path
}

const keysOf = (text: string): readonly string[] =>
  [...text.matchAll(/"([^"]*)"|'([^']*)'|([^\s."']+)/gu)].map(([, a, b, c]) => a ?? b ?? c ?? '')

const piece = /"""(?:\\[^]|[^\\])*?"""|'''[^]*?'''|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|#[^\n]*|[^]/gu

/** The lines that start a statement, that is, not those inside a list or a multi-line text. */
function* statements(toml: string): Generator<[number, string]> {
  let [line, start, depth] = [1, 1, 0]
  let text = ''
  for (const [part] of toml.matchAll(piece)) {
    line += part.split('\n').length - 1
    if (/^[[{]$/u.test(part)) depth++
    if (/^[\]}]$/u.test(part)) depth--
    if (part !== '\n' || depth > 0) text += part
    else {
      yield [start, text]
      ;[start, text] = [line, '']
    }
  }
  yield [start, text]
}
