/** Our table of nftables, of the family inet. */
export const tableName = 'qemu-tap-hooks'

/** Those of the families bridge and netdev, of one bridge. */
export const guardTable = (bridge: string): string => `${tableName}-${encoded(bridge)}`

/** A * at the end would stand for any ending. */
export const quotedName = (link: string): string => `"${link.replace(/\*$/u, '\\*')}"`

/** Each bridge has chains of its own: `forward-br20`. */
export const chainName = (hook: string, bridge: string): string => `${hook}-${encoded(bridge)}`

/** The bridge that a chain is of; `undefined` for a chain that is not ours. */
export function bridgeOfChain(name: string): string | undefined {
  const code = /^[a-z]+-(.+)$/u.exec(name)?.[1]
  return code === undefined ? undefined : decoded(code)
}

/** What nft allows in a name stays; every other byte is a slash, which no link has in its name, and two digits. */
const encoded = (bridge: string): string =>
  [...Buffer.from(bridge)]
    .map((byte) => {
      const char = String.fromCharCode(byte)
      return /[\w.-]/u.test(char) ? char : `/${byte.toString(16).padStart(2, '0')}`
    })
    .join('')

const decoded = (code: string): string =>
  Buffer.from(
    code.replace(/\/([0-9a-f]{2})/gu, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  ).toString()
