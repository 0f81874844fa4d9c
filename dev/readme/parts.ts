import { fileURLToPath } from 'node:url'

import { exitCodes } from '../../src/help.ts'
import { commandSpecs, type OptionSpec } from '../../src/options.ts'

export const readmePath = fileURLToPath(new URL('../../README.md', import.meta.url))

const row = (...cells: readonly string[]): string => `| ${cells.join(' | ')} |`
const table = (...rows: readonly (readonly string[])[]): string => {
  const [head = [], ...body] = rows
  return [row(...head), `|${head.map(() => '---').join('|')}|`, ...body.map((cells) => row(...cells))].join(
    '\n',
  )
}

/** Every option once, with the commands that take it. */
function optionsTable(): string {
  const options = new Map<OptionSpec, string[]>()
  for (const { name, options: all } of Object.values(commandSpecs))
    for (const option of all) options.set(option, [...(options.get(option) ?? []), name])
  const rows = [...options].map(([{ name, value, help }, commands]) => [
    `\`--${name}${value === undefined ? '' : ` ${value}`}\``,
    commands.length === Object.keys(commandSpecs).length
      ? 'all'
      : commands.map((each) => `\`${each}\``).join(', '),
    help,
  ])
  return table(['option', 'of', 'does'], ...rows)
}

const parts: Readonly<Record<string, () => string>> = {
  options: optionsTable,
  'exit-codes': () => table(['code', 'meaning'], ...exitCodes),
}

const place = /(?<start><!-- generated: (?<name>[\w-]+) -->\n)[^]*?(?<end><!-- end -->)/g

/** The text with each part between `<!-- generated: NAME -->` and `<!-- end -->` made anew. */
export function withGenerated(text: string): string {
  const pieces = [...text.matchAll(place)].map((match) => {
    const { start = '', name = '', end = '' } = match.groups ?? {}
    const part = parts[name]
    if (part === undefined) throw new Error(`README.md: no part is called ${name}`)
    return { old: match[0], fresh: `${start}\n${part()}\n\n${end}` }
  })
  return pieces.reduce((done, { old, fresh }) => done.replace(old, () => fresh), text)
}
