import { fileURLToPath } from 'node:url'

import { startGuest, type Guest } from '../../test/lab/guest.ts'
import type { Lab } from '../../test/lab/lab.ts'

/** The built commands. */
export const bin = (name: string): string => fileURLToPath(new URL(`../../dist/bin/${name}`, import.meta.url))

/** A guest on the LAN of the lab, with the built hooks; `number` is the last part of its addresses. */
export const startLanGuest = (
  lab: Lab,
  number: number,
  env?: Readonly<Record<string, string>>,
): Promise<Guest> =>
  startGuest(lab, {
    name: `guest${number}`,
    mac: `52:54:00:00:00:${number}`,
    tap: `tap${number}`,
    ip: `192.168.1.${number}/24`,
    gw: '192.168.1.1',
    ip6: `fd01::${number}/64`,
    gw6: 'fd01::1',
    hooks: { up: bin('qemu-ifup'), down: bin('qemu-ifdown') },
    ...(env === undefined ? {} : { env }),
  })

/** Whom a guest should reach: the host beyond the router, the host it runs on, and another guest. */
export const targetsOf = (other: number): readonly (readonly [string, readonly string[]])[] => [
  ['the outside host', ['203.0.113.9', 'fd99::9']],
  ['its host', ['192.168.1.50', 'fd01::50']],
  [`guest${other}`, [`192.168.1.${other}`, `fd01::${other}`]],
]

/** The names of a bridge's ports, in the order of their making. */
export async function portsOf(lab: Lab, bridge: string): Promise<readonly string[]> {
  const links = JSON.parse(await lab.ok('host', ['ip', '-j', 'link', 'show', 'master', bridge])) as {
    ifname: string
  }[]
  return links.map(({ ifname }) => ifname)
}
