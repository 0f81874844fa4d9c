/**
 * Whether the whole text fits the pattern: `*` any run, `?` one character, `[a-c]` one of a set, `[!a-c]` none of
 * it, a backslash takes the next character as it is. An unclosed `[` stands for itself, as in sh(1).
 */
export const fitsGlob = (pattern: string, text: string): boolean =>
  new RegExp(`^${regexSource(pattern)}$`, 'su').test(text)

/** Whether it fits one text only. */
export const isPlain = (pattern: string): boolean => !/(?<!\\)(?:\\\\)*[*?[]/u.test(pattern)

const token = /\\([^])|(\*+)|(\?)|\[([!^]?)(\]?[^\]]*)\]|([^])/gu

const regexSource = (pattern: string): string =>
  pattern.replace(token, (whole: string, ...groups: (string | undefined)[]) => {
    const [escaped, star, question, negation, set, plain] = groups
    if (star !== undefined) return '.*'
    if (question !== undefined) return '.'
    if (set !== undefined && set !== '') return `[${negation === '' ? '' : '^'}${setSource(set)}]`
    return quoted(escaped ?? plain ?? whole)
  })

/** As code points, since `-` needs an escape inside a set and may not have one outside. */
const quoted = (text: string): string =>
  text.replace(/[^\p{L}\p{N}]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)

/** Ranges that run backwards (`[z-a]`) hold nothing in sh(1); a regular expression would not compile. */
function setSource(set: string): string {
  const ranges = set.matchAll(/([^])-([^])|([^])/gu)
  return [...ranges]
    .map(([, from, to, single]) => {
      if (from === undefined || to === undefined) return quoted(single ?? '')
      return from <= to ? `${quoted(from)}-${quoted(to)}` : ''
    })
    .join('')
}
