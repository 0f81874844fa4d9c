import { refusal } from '../errors.ts'
import type { Link, PortVlan } from '../state.ts'
import { runFed, type FedResult } from './fed.ts'
import type { ProcessId } from './process.ts'
import { isExecutable } from './program.ts'
import { parseAll } from './read.ts'
import { fdbSchema, portVlansSchema } from './schema.ts'

/** The door to what a bridge is told about its ports: iproute2's `bridge`, found by absolute path as `ip` is. */

const places = ['/usr/sbin/bridge', '/sbin/bridge', '/usr/bin/bridge', '/bin/bridge']

const seconds = 10

function bridgePath(): string {
  const path = places.find(isExecutable)
  if (path === undefined) throw refusal(`none of ${places.join(', ')} can be run`, 'install iproute2')
  return path
}

/** Runs the lines as one `bridge -batch -`. Does not throw when it refuses one. */
export const bridgeBatch = (
  lines: readonly string[],
  { isForced = false, onSpawn }: { isForced?: boolean; onSpawn?: (child: ProcessId) => void } = {},
): Promise<FedResult> =>
  runFed(bridgePath(), [...(isForced ? ['-force'] : []), '-batch', '-'], {
    input: `${lines.join('\n')}\n`,
    seconds,
    onSpawn,
  })

/** The links with what their bridges were told about them; MAC addresses only where one does not learn, or if asked for. */
export async function withPortEntries(links: readonly Link[], isAsked = false): Promise<readonly Link[]> {
  const isFiltering = links.some(({ defaultVlan }) => defaultVlan !== undefined)
  const isToldMacs = isAsked || links.some(({ port }) => port?.learning === false)
  const macs = isToldMacs ? await fixedMacs() : []
  const vlans = isFiltering ? await portVlans() : []
  return links.map((link) =>
    link.port === undefined
      ? link
      : {
          ...link,
          port: {
            ...link.port,
            macs: macs.filter(({ ifname }) => ifname === link.name).map(({ mac }) => mac),
            vlans: vlans.filter(({ ifname }) => ifname === link.name).map(({ vlan }) => vlan),
          },
        },
  )
}

async function show(what: 'fdb' | 'vlan'): Promise<unknown> {
  const { ok, stdout } = await runFed(bridgePath(), ['-j', what, 'show'], { input: '', seconds })
  return ok && stdout.trim() !== '' ? (JSON.parse(stdout) as unknown) : []
}

interface FixedMac {
  readonly ifname: string | undefined
  readonly mac: string
}

/** Where the bridge looks at tags it has one for each VLAN. */
async function fixedMacs(): Promise<readonly FixedMac[]> {
  const all = parseAll(fdbSchema, await show('fdb'))
  const fixed = all.filter(({ master, state }) => master !== undefined && state === 'static')
  return [...new Map(fixed.map(({ ifname, mac }) => [`${ifname ?? ''} ${mac}`, { ifname, mac }])).values()]
}

async function portVlans(): Promise<readonly { readonly ifname: string; readonly vlan: PortVlan }[]> {
  const ports = parseAll(portVlansSchema, await show('vlan'))
  return ports.flatMap(({ ifname, vlans }) =>
    vlans.flatMap(({ vlan, vlanEnd, flags }) =>
      Array.from({ length: (vlanEnd ?? vlan) - vlan + 1 }, (_, i) => ({
        ifname,
        vlan: { vid: vlan + i, pvid: flags.includes('PVID'), untagged: flags.includes('Egress Untagged') },
      })),
    ),
  )
}
