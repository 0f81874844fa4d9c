import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { Family } from '../names.ts'
import type { Sysctl } from '../state.ts'
import { sysctlPath } from '../step.ts'

/** /proc/sys/net is that of the reading process's network namespace; /sys would be that of the mount. */
const root = '/proc/sys'

/** Counts that the kernel keeps (`mc_forwarding` belongs to multicast routing daemons): nothing to write. */
const readOnly = new Set(['mc_forwarding'])

const families: readonly Family[] = [4, 6]

/** Every setting of one link, both families. A key without a value (stable_secret: EIO) is left out. */
export function readSysctls(dev: string): readonly Sysctl[] {
  return families.flatMap((family) =>
    keysOf(family, dev).flatMap((key) => {
      const value = readSysctl({ family, dev, key })
      return value === undefined ? [] : [{ family, dev, key, value }]
    }),
  )
}

/** The settings that go with forwarding: the switches, and those of the named links. */
export const readForwarding = (devs: readonly string[]): readonly Sysctl[] =>
  [
    { family: 4, dev: 'all', key: 'accept_redirects' } as const,
    ...['all', 'default', ...devs].flatMap((dev) =>
      families.map((family) => ({ family, dev, key: 'forwarding' })),
    ),
    ...devs.map((dev) => ({ family: 6, dev, key: 'accept_ra' }) as const),
  ].flatMap((at) => {
    const value = readSysctl(at)
    return value === undefined ? [] : [{ ...at, value }]
  })

function keysOf(family: Family, dev: string): readonly string[] {
  try {
    return readdirSync(`${root}/net/ipv${family}/conf/${dev}`).filter((key) => !readOnly.has(key))
  } catch {
    return []
  }
}

function readSysctl(at: Omit<Sysctl, 'value'>): string | undefined {
  try {
    return readFileSync(`${root}/${sysctlPath(at)}`, 'latin1').trimEnd()
  } catch {
    return undefined
  }
}

export function writeSysctl(sysctl: Sysctl): void {
  writeFileSync(`${root}/${sysctlPath(sysctl)}`, sysctl.value)
}
