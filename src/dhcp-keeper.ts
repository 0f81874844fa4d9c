import * as v from 'valibot'
import { commandWords } from './client-words.ts'
import type { DhcpClient, DhcpClientName } from './owner-state.ts'
import { quoted } from './shell.ts'
import { clientSchema } from './state-schema.ts'

/** A client on a bridge is begun again when somebody ends it: nobody else would renew the lease there. */

export type Launch = Pick<DhcpClient, 'words' | 'env'>

/** By which it waits for the client, and not only for its beginning. */
const foreground: Readonly<Record<DhcpClientName, string>> = { dhclient: '-d', dhcpcd: '-B', udhcpc: '-f' }

/** Where its script is. What it keeps is not named on its command line, so that `pkill -f dhclient` spares it. */
export const keeperPath = ({ families, dev }: DhcpClient, folder: string): string =>
  `${folder}/keeper${families.join('')}-${dev}.sh`

export const isKeeperPath = (path: string, folder: string): boolean =>
  path.startsWith(`${folder}/`) && /^keeper\d+-[^/]+\.sh$/u.test(path.slice(folder.length + 1))

/** Until its link is gone; `fresh` is the path of the file that tells udhcpc's first run. */
export function keeperText(client: DhcpClient, { words, env }: Launch, fresh: string | undefined): string {
  const { name, dev } = client
  const flag = words.includes(foreground[name]) ? [] : [foreground[name]]
  const line = commandWords({ ...client, words: [...flag, ...words] })
  return [
    '#!/bin/sh',
    `${mark}${JSON.stringify(client)}`,
    ...Object.entries(env).map(([key, value]) => `export ${key}=${quoted(value)}`),
    `while [ -e ${quoted(`/proc/sys/net/ipv4/conf/${dev}`)} ]; do`,
    ...(fresh === undefined ? [] : [`  : >${quoted(fresh)}`]),
    `  ${line.map(quoted).join(' ')}`,
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
