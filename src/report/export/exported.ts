/** What makes a bridge permanent: files, and what they do not carry. */
export interface Exported {
  readonly files: readonly ExportedFile[]
  readonly notes: readonly string[]
}

export interface ExportedFile {
  readonly path: string
  /** As chmod reads it. */
  readonly mode: '0644' | '0600'
  readonly text: string
}

/** Something in the words of a kind, and what that has no words for. */
export interface Carried<Words> {
  readonly words: readonly Words[]
  readonly notes: readonly string[]
}

export const carried = <Item, Words>(
  items: readonly Item[],
  render: (item: Item) => Carried<Words>,
): Carried<Words> => {
  const all = items.map(render)
  return { words: all.flatMap(({ words }) => words), notes: all.flatMap(({ notes }) => notes) }
}

export const leftOut = (...what: readonly string[]): Carried<never> => ({
  words: [],
  notes: what.map((each) => `not carried: ${each}`),
})

type Pair = readonly [string, string | number | undefined]

/** A section of a file in the manner of systemd and NetworkManager; `undefined` leaves a line out, and all of it where none is left. */
export function section(name: string, pairs: readonly Pair[]): string {
  const lines = pairs.flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}\n`]))
  return lines.length === 0 ? '' : [`[${name}]\n`, ...lines].join('')
}

export const joined = (sections: readonly string[]): string =>
  sections.filter((text) => text !== '').join('\n')

export const yesNo = (on: boolean): string => (on ? 'yes' : 'no')
