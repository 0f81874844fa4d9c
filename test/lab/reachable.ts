import type { Lab } from './lab.ts'
import { addressOf, type Node } from './topology.ts'

// All at once, so that the slowest decides: 1 s when one fails, a few ms when none does.
const pings = (addresses: Readonly<Record<4 | 6, string>>): string =>
  ([4, 6] as const)
    .map((family) => `{ ping -${family} -c1 -W1 ${addresses[family]} >/dev/null 2>&1 || echo ${family}; } &`)
    .join(' ') + ' wait'

async function failing(lab: Lab, from: Node, to: 'host' | 'outside'): Promise<string[]> {
  const { stdout } = await lab.run(from, ['sh', '-c', pings(addressOf[to])])
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .sort()
    .map((family) => `${from} > ${to} IPv${family}`)
}

/**
 * Pings once each way between the outside and the host, in both families, and returns what failed, such as
 * `outside > host IPv6`: empty when the host is reachable. Takes a second at most.
 */
export async function reachable(lab: Lab): Promise<string[]> {
  const both = await Promise.all([failing(lab, 'outside', 'host'), failing(lab, 'host', 'outside')])
  return both.flat()
}
