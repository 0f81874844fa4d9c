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

/** The text with each part between `<!-- generated: NAME -->` and `<!-- end -->` made anew. */
export const withGenerated = (text: string): string =>
  text.replace(
    /(<!-- generated: ([\w-]+) -->\n)[^]*?(<!-- end -->)/g,
    (_, start: string, name: string, end: string) => {
      const part = parts[name]
      if (part === undefined) throw new Error(`README.md: no part is called ${name}`)
      return `${start}\n${part()}\n\n${end}`
    },
  )
