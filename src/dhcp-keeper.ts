import * as v from 'valibot'
import { commandWords } from './client-words.ts'
import type { DhcpClient, DhcpClientName } from './owner-state.ts'
import { quoted } from './shell.ts'
import { clientSchema } from './state-schema.ts'

/** A client on a bridge is begun again when somebody ends it: nobody else would renew the lease there. */

export type Launch = Pick<DhcpClient, 'words' | 'env'>

/** By which it waits for the client, and not only for its beginning; and by which dhcpcd leaves the address there when it ends. */
const lasting: Readonly<Record<DhcpClientName, readonly string[]>> = {
  dhclient: ['-d'],
  dhcpcd: ['-B', '-p'],
  udhcpc: ['-f'],
}

/** By which it would end while the link is there, or leave another one behind it that goes on (udhcpc honours `-b` with `-f`). */
const hasty: Readonly<Record<DhcpClientName, readonly string[]>> = {
  dhclient: ['-1'],
  dhcpcd: [],
  udhcpc: ['-b', '-n', '-q'],
}

/** For names of files. */
const letters: Readonly<Record<DhcpClientName, string>> = { dhclient: 'i', dhcpcd: 'd', udhcpc: 'b' }

/** Where its script is. What it keeps is not named on its command line, so that `pkill -f dhclient` spares it. */
export const keeperPath = ({ name, families, dev }: DhcpClient, folder: string): string =>
  `${folder}/keeper${families.join('')}${letters[name]}-${dev}.sh`

/** The link that it keeps a client on, by its script's name. */
export const keptLink = (file: string): string | undefined => /^keeper\d+[bdi]-([^/]+)\.sh$/u.exec(file)?.[1]

/** Until its link is gone; `fresh` is the path of the file that tells udhcpc's first run. */
export function keeperText(client: DhcpClient, { words, env }: Launch, fresh: string | undefined): string {
  const { name, dev } = client
  const others = words.filter((word) => ![...lasting[name], ...hasty[name]].includes(word))
  const line = commandWords({ ...client, words: [...lasting[name], ...others] })
  return [
    '#!/bin/sh',
    `${mark}${JSON.stringify(client)}`,
    ...Object.entries(env).map(([key, value]) => `export ${key}=${quoted(value)}`),
    `while [ -e ${quoted(`/proc/sys/net/ipv4/conf/${dev}`)} ]; do`,
    ...(fresh === undefined ? [] : [`  command : >${quoted(fresh)}`]),
    `  ${line.map(quoted).join(' ')}`,
    // Helpers of one that was killed.
    ...(name === 'dhcpcd' ? ['  pkill -KILL -g $$ dhcpcd'] : []),
    '  sleep 1',
    'done',
    '',
  ].join('\n')
}

const mark = '# keeps '

/** The client that such a text is about. */
export function keptBy(text: string): DhcpClient | undefined {
  const line = text.split('\n').find((each) => each.startsWith(mark))
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), clientSchema), line?.slice(mark.length))
  return parsed.success ? parsed.output : undefined
}
