import { closeSync, openSync } from 'node:fs'

import type { Lab } from '../../test/lab/lab.ts'
import { reachable } from '../../test/lab/reachable.ts'
import { diffSnapshots, snapshot } from '../../test/lab/snapshot.ts'
import { guestsLeave, guestsStart } from './guest-story.ts'
import { bin } from './guests.ts'
import { measured, openSessions, outageTable } from './measure.ts'
import { claim, remark, say } from './tell.ts'

const picture = `
  outside host ------------ router ------------ eth0 [ the host ]
  203.0.113.9             192.168.1.1           192.168.1.50, 192.168.1.51
  fd99::9                   fd01::1             fd01::50

  Each is a network namespace of its own, gone when this ends; this machine's network is not touched.`

/** What a host in use has besides an address and a default route. */
async function furnish(lab: Lab): Promise<void> {
  await lab.ip('host', [
    'addr add 192.168.1.51/24 dev eth0 label eth0:second',
    'route add 10.9.0.0/16 via 192.168.1.1 dev eth0 metric 20 mtu 1400',
    'route add 192.168.1.0/24 dev eth0 table 100 src 192.168.1.51',
    'rule add from 192.168.1.51 table 100 priority 1000',
    'neigh add 192.168.1.77 lladdr 02:00:00:00:00:77 dev eth0 nud permanent',
  ])
  await lab.ok('host', ['nft', 'table inet filter { chain input { type filter hook input priority 0; }; }'])
}

/** The kinds of thing in a snapshot, each with how many there are. */
const contents = (text: string): string =>
  text
    .split('=== ')
    .slice(1)
    .map((section) => section.trimEnd().split('\n'))
    .filter((lines) => lines.length > 1)
    .map(([title = '', ...lines]) => `${title} ${lines.length}`)
    .join(', ')

/** QEMU opens it as whoever runs this. */
function mayMakeTaps(): boolean {
  try {
    closeSync(openSync('/dev/net/tun', 'r+'))
    return true
  } catch {
    return false
  }
}

async function aloneOnBridge(lab: Lab): Promise<void> {
  say('')
  remark(
    'no guests: /dev/net/tun cannot be opened (sudo modprobe tun; sudo chmod 666 /dev/net/tun; or sudo npm run demo)',
  )
  say(`\n$ brstatus\n${(await lab.ok('host', [bin('brstatus')])).trimEnd()}`)
}

/** From a host that talks to the world, over one with two guests on its LAN, back to the first, and what it cost. */
export async function tellStory(lab: Lab): Promise<void> {
  say(picture)
  await furnish(lab)
  const before = await snapshot(lab)
  say('')
  claim((await reachable(lab)).length === 0, 'the host and the outside host reach each other, IPv4 and IPv6')
  const endSessions = await openSessions(lab)

  const up = await measured(lab, 'brup')
  const changed = diffSnapshots(before, await snapshot(lab)).length
  if (mayMakeTaps()) await guestsLeave(lab, await guestsStart(lab))
  else await aloneOnBridge(lab)
  const down = await measured(lab, 'brdown')

  await endSessions()
  const differences = diffSnapshots(before, await snapshot(lab))
  for (const line of differences) say(`        ${line}`)
  const scope = `${contents(before)}; while br0 was up, ${changed} of these lines were others`
  claim(
    changed > 0 && differences.length === 0,
    `the host's network is exactly as before (compared: ${scope})`,
  )

  say('\nMeasured at 5,000 packets a second each way, lost and longest gap:')
  say(outageTable([up, down]))
}
