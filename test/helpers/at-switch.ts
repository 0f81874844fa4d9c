import type { Lab } from '../lab/lab.ts'
import type { RunOptions } from '../lab/run.ts'
import type { Running } from '../lab/start.ts'
import { tool } from '../lab/tools.ts'
import { bin } from './tap.ts'

// In front of the real `ip`, for one command alone: what is to happen does, and only then is the switch told to `ip`.
const wrapper = `#!/bin/sh
lines=$(cat)
case "$lines" in *eth0*' master '*) sh -ec "$(cat /run/at-switch)" >/run/at-switch.log 2>&1 ;; esac
exec /run/ip "$@" <<END
$lines
END
`

/** Starts `brup ARGUMENTS` with a shell script that is run, in the lab, the moment before eth0 becomes a port. */
export async function startBrup(
  lab: Lab,
  { args = [], script, options }: { args?: readonly string[]; script: string; options?: RunOptions },
): Promise<Running> {
  await lab.ok('host', ['cp', tool('ip'), '/run/ip'])
  await lab.ok('host', ['tee', '/run/at-switch'], { input: script })
  await lab.ok('host', ['tee', '/run/wrapper'], { input: wrapper })
  await lab.ok('host', ['chmod', '755', '/run/wrapper'])
  const line = 'mount --bind /run/wrapper "$(readlink -f "$0")" && exec "$@"'
  return lab.start('host', ['sh', '-c', line, tool('ip'), bin('brup'), ...args], options)
}

/** A line of nft, in the router. */
const inRouter = (line: string): string => `nsenter --net=/run/netns/router nft '${line}'`

const drop = (family: string, hook: string, rule: string): string =>
  inRouter(
    `add table ${family} mute; add chain ${family} mute ${hook} { type filter hook ${hook} priority 0; }; add rule ${family} mute ${hook} ${rule} drop`,
  )

/** From then on the router hears nobody who asks for its MAC address, and asks nobody. */
export const muteRouter = {
  4: drop('arp', 'input', ''),
  6: drop('ip6', 'input', 'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert }'),
} as const
