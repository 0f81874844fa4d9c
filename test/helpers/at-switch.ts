import type { Lab } from '../lab/lab.ts'
import type { RunOptions } from '../lab/run.ts'
import type { Running } from '../lab/start.ts'
import { tool } from '../lab/tools.ts'
import { bin, type Bin } from './tap.ts'

// In front of the real `ip`, for one command alone: what is to happen does, and only then is the switch told to `ip`.
const wrapper = `#!/bin/sh
lines=$(cat)
case "$lines" in
  *eth0*master*) if mkdir /run/switched 2>/dev/null; then sh -c "$(cat /run/at-switch)" >/run/at-switch.log 2>&1; fi ;;
esac
exec /run/ip "$@" <<END
$lines
END
`

interface AtSwitch {
  /** A shell script, run in the lab the moment before eth0 becomes a port, or is one no longer. */
  readonly script: string
  readonly options?: RunOptions
  /** Shell words around the command: what comes first, and where its output goes. */
  readonly first?: string
  readonly redirect?: string
}

/** Starts a command, `brup --quiet` or a list of words, and has something happen at the switch. */
export async function startWith(
  lab: Lab,
  line: string | readonly string[],
  { script, options, first = ':', redirect = '' }: AtSwitch,
): Promise<Running> {
  await lab.ok('host', ['rm', '-rf', '/run/switched'])
  await lab.ok('host', ['cp', tool('ip'), '/run/ip'])
  await lab.ok('host', ['tee', '/run/at-switch'], { input: script })
  await lab.ok('host', ['tee', '/run/wrapper'], { input: wrapper })
  await lab.ok('host', ['chmod', '755', '/run/wrapper'])
  const [name = '', ...args] = typeof line === 'string' ? line.split(' ') : line
  const program = typeof line === 'string' ? bin(name as Bin) : name
  const shell = `${first}; mount --bind /run/wrapper "$(readlink -f "$0")"; exec "$@" ${redirect}`
  return lab.start('host', ['bash', '-ec', shell, tool('ip'), program, ...args], options)
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
