import { expect, test } from 'vitest'

import { reachable } from '../lab/reachable.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'
import { bin, inLab } from '../helpers/tap.ts'

// Stands in front of the real `ip`, for brup alone: at the switch, /run is full from now on and the batch fails.
const wrapper = `#!/bin/sh
lines=/run/lines.$$
cat >$lines
if grep -q 'eth0.* master ' $lines && [ ! -e /run/filled ]; then
  touch /run/filled
  cat /dev/zero >/run/own/filler 2>/dev/null
  sed '/ master /,$d' $lines | /run/ip "$@"
  exit 1
fi
exec /run/ip "$@" <$lines
`

test('a run directory that is full in the middle of a change does not keep it from being taken back', async () => {
  await inLab(async (lab) => {
    await lab.ok('host', ['cp', '/usr/sbin/ip', '/run/ip'])
    await lab.ok('host', ['tee', '/run/wrapper'], { input: wrapper })
    await lab.ok('host', ['chmod', '755', '/run/wrapper'])
    await lab.ok('host', ['mkdir', '/run/own'])
    const before = await snapshot(lab)
    const mounts =
      'mount -t tmpfs -o size=1m lab /run/own && mount --bind /run/wrapper $(readlink -f /usr/sbin/ip)'
    const env = { QEMU_TAP_HOOKS_RUN_DIR: '/run/own' }
    const { exit, stderr } = await lab.run('host', ['sh', '-c', `${mounts} && exec ${bin('brup')}`], { env })
    expect((await lab.run('host', ['ls', '/run/filled'])).exit).toBe(0)
    expect(diffSnapshots(before, await snapshot(lab)), stderr).toEqual([])
    expect([exit, stderr]).toEqual([1, expect.stringContaining('; everything was put back\n')])
    expect(await reachable(lab)).toEqual([])
  })
})
