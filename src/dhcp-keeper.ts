import type { DhcpClient, DhcpClientName } from './owner-state.ts'
import { quoted } from './shell.ts'

/** A client on a bridge is begun again when somebody ends it: nobody else would renew the lease there. */

type Launch = Pick<DhcpClient, 'path' | 'words' | 'env'>

/** By which it waits for the client, and not only for its beginning. */
const foreground: Readonly<Record<DhcpClientName, string>> = { dhclient: '-d', dhcpcd: '-B', udhcpc: '-f' }

/** Where its script is. What it keeps is not named on its command line, so that `pkill -f dhclient` spares it. */
export const keeperPath = ({ families, dev }: DhcpClient, folder: string): string =>
  `${folder}/keeper${families.join('')}-${dev}.sh`

/** Until its link is gone; `fresh` is the path of the file that tells udhcpc's first run. */
export function keeperText(
  { name, dev }: DhcpClient,
  { path, words, env }: Launch,
  fresh: string | undefined,
): string {
  const flag = words.includes(foreground[name]) ? [] : [foreground[name]]
  const line = [path, ...(path.includes('busybox') ? [name] : []), ...flag, ...words].map(quoted).join(' ')
  return [
    '#!/bin/sh',
    ...Object.entries(env).map(([key, value]) => `export ${key}=${quoted(value)}`),
    `while [ -e ${quoted(`/proc/sys/net/ipv4/conf/${dev}`)} ]; do`,
    ...(fresh === undefined ? [] : [`  : >${quoted(fresh)}`]),
    `  ${line}`,
    '  sleep 1',
    'done',
    '',
  ].join('\n')
}
