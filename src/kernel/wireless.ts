import { readFileSync } from 'node:fs'

/**
 * Whether a link is Wi-Fi, which cannot be a port of a bridge in managed mode (the kernel answers EOPNOTSUPP).
 * /proc/net is that of the reading process's namespace.
 */
export function isWireless(name: string): boolean {
  try {
    const lines = readFileSync('/proc/net/wireless', 'latin1').split('\n')
    return lines.some((line) => line.trimStart().startsWith(`${name}:`))
  } catch {
    return false
  }
}
