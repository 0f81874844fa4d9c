import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

import { acknowledged, leased } from '../helpers/dhcp-host.ts'
import { outlivingItsCaller } from '../helpers/faults.ts'
import { files, inManagedLab, isConfigured, units } from '../helpers/networkd-host.ts'
import { bin, ok, until } from '../helpers/tap.ts'
import { watchdogs } from '../helpers/watchdog.ts'
import type { Lab } from '../lab/lab.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'

/** What goes wrong when networkd is told leaves it, and the network, as they were. */

/** networkd 252 gives an address that it finds on a link no metric, and one that it makes its own. */
const sight = async (lab: Lab): Promise<string> =>
  (await snapshot(lab)).replaceAll(/^.* br0 .*$/gm, (line) => line.replace(' metric 1024', ''))

/** In the mount namespace of one command, one that does this at its first call. */
function broken(lab: Lab, deed: string): readonly string[] {
  const path = join(lab.dir, 'networkctl')
  const met = join(lab.dir, 'met')
  const text = `#!/bin/bash
real=${lab.dir}/real-networkctl
if [ ! -e ${met} ]; then touch ${met}; ${deed}; fi
exec "$real" "$@"
`
  writeFileSync(path, text, { mode: 0o755 })
  const mount = `cp /usr/bin/networkctl ${lab.dir}/real-networkctl; mount --bind "$1" /usr/bin/networkctl; shift; exec "$@"`
  return ['unshare', '--mount', 'sh', '-ec', mount, 'sh', path]
}

const deeds = [
  { name: 'refuses', deed: 'echo no >&2; exit 1', exit: 1 },
  { name: 'dies', deed: 'kill -9 $$', exit: 1 },
  { name: 'dies when all is done', deed: '"$real" reload; kill -9 $$', exit: 1 },
  { name: 'is there when its caller is killed', deed: outlivingItsCaller, exit: 137 },
] as const

const scenes = Object.entries(files).flatMap(([name, text]) =>
  (['brup', 'brdown'] as const).map((command) => ({ name, text, command })),
)

describe.each(scenes)('$command with $name', ({ text, command }) => {
  test.each(deeds)('puts everything back when networkctl $name', async ({ deed, exit }) => {
    await inManagedLab(text, async ({ lab, server }) => {
      if (command === 'brdown') await ok(lab, 'brup')
      const side = command === 'brup' ? 'eth0' : 'br0'
      const [before, own] = [await sight(lab), await units(lab)]
      const [address = ''] = await leased(lab, side)
      const ending = await lab.run('host', [...broken(lab, deed), bin(command)])
      expect([ending.exit, ending.stderr]).toEqual([exit, expect.anything()])
      await until('the watchdog is done', async () => (await watchdogs(lab)).length === 0, 30)
      await until('networkd is done', () => isConfigured(lab, side))
      expect(await units(lab)).toEqual(own)
      if (text.includes('DHCP=')) {
        const then = acknowledged(server, address)
        await until('the lease is renewed', () => Promise.resolve(acknowledged(server, address) > then), 30)
      }
      expect(diffSnapshots(before, await sight(lab))).toEqual([])
    })
  })
})
