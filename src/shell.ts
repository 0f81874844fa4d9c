export const hereDocument = (command: string, lines: readonly string[]): string =>
  [`${command} <<'END'`, ...lines, 'END'].join('\n')

/** A word as a shell reads it. */
export const quoted = (word: string): string =>
  /^[\w.,:/@%+=^-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
