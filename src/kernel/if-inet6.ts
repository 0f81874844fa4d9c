import { parseIp } from '../names.ts'
import { readText } from './files.ts'

/** The IPv6 addresses of a link, tentative ones, too: a look that takes no process (/proc/net/if_inet6). */
export function ipv6AddressesOf(dev: string): ReadonlySet<string> {
  const lines = (readText('/proc/net/if_inet6') ?? '').split('\n').map((line) => line.trimEnd().split(/ +/u))
  return new Set(
    lines.flatMap(([digits = '', ...others]) =>
      others.at(-1) === dev ? (parseIp(digits.match(/.{4}/gu)?.join(':') ?? '')?.text ?? []) : [],
    ),
  )
}
