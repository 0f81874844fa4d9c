import { expect } from 'vitest'

import type { Lab } from '../lab/lab.ts'
import type { RunOptions } from '../lab/run.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'
import { bin, journals, type Bin } from './tap.ts'

interface Ending {
  /** Default 3, refused. */
  readonly exit?: number
  /** `error.kind` of the document. */
  readonly kind?: string
  /** The whole stderr without its last newline, or what it must match. */
  readonly says: string | RegExp
  readonly options?: RunOptions
  /** Words that precede the command: setpriv and the like. */
  readonly through?: readonly string[]
}

interface Document {
  readonly exit: number
  readonly error: { readonly kind: string; readonly message: string; readonly hint: string | null }
}

/** Runs `work` and expects the host's network and the journals to be what they were. */
export async function expectUntouched<T>(lab: Lab, work: () => Promise<T>): Promise<T> {
  const [before, files] = [await snapshot(lab), await journals(lab)]
  const result = await work()
  expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
  expect(await journals(lab)).toBe(files)
  return result
}

/** The command ends as told, as text and with `--json`, says the same both times, and changes nothing. */
export async function expectEnding(
  lab: Lab,
  line: string | readonly string[],
  ending: Ending,
): Promise<void> {
  const { exit = 3, kind = 'refused', says, options, through = [] } = ending
  const [name = '', ...args] = typeof line === 'string' ? line.split(' ') : line
  const words = [...through, bin(name as Bin)]
  await expectUntouched(lab, async () => {
    const text = await lab.run('host', [...words, ...args], options)
    const whole: unknown = typeof says === 'string' ? `${says}\n` : expect.stringMatching(says)
    expect(text).toEqual({ exit, stdout: '', stderr: whole })
    const json = await lab.run('host', [...words, '--json', ...args], options)
    const document = JSON.parse(json.stdout) as Document
    expect(document).toMatchObject({ schema: 1, command: name, exit, steps: [], error: { kind } })
    const { message, hint } = document.error
    const sentence = `${name}: ${message}${hint === null ? '' : ` (${hint})`}`
    expect([json.exit, text.stderr.split('\n')[0]]).toEqual([exit, sentence])
    if (exit === 3) expect(hint, 'the way out').toEqual(expect.stringMatching(/\w/))
  })
}
