import { setTimeout as delay } from 'node:timers/promises'

import type { Lab } from './lab.ts'
import type { Node } from './topology.ts'

/** Waits until a node has no tentative address left; throws after `timeout` ms. */
async function settled(lab: Lab, node: Node = 'host', timeout = 10_000): Promise<void> {
  const deadline = Date.now() + timeout
  for (;;) {
    const tentative = await lab.ok(node, ['ip', '-6', '-o', 'addr', 'show', 'tentative'])
    if (tentative === '') return
    if (Date.now() > deadline) throw new Error(`lab: still tentative:\n${tentative}`)
    await delay(5)
  }
}

/**
 * Runs `build` while these links of the host do no duplicate address detection (which takes two seconds), waits until
 * no address is tentative, and turns it on again: the addresses carry no `nodad` flag.
 */
export async function withoutDad(
  lab: Lab,
  links: readonly string[],
  build: () => Promise<unknown>,
): Promise<void> {
  const accept = (value: 0 | 1): Promise<string> =>
    lab.ok('host', ['sysctl', '-qw', ...links.map((link) => `net.ipv6.conf.${link}.accept_dad=${value}`)])
  await accept(0)
  await build()
  await settled(lab)
  await accept(1)
}
