import type { Guest } from '../../test/lab/guest.ts'
import type { Lab } from '../../test/lab/lab.ts'
import { bin, portsOf, startLanGuest, targetsOf } from './guests.ts'
import { claim, say } from './tell.ts'

type Guests = readonly [Guest, Guest]

/** Two guests boot, and reach everybody and are reached. */
export async function guestsStart(lab: Lab): Promise<Guests> {
  say(
    '\n$ qemu-system-x86_64 … -netdev tap,id=n0,script=dist/bin/qemu-ifup,downscript=dist/bin/qemu-ifdown   (twice)',
  )
  const start = performance.now()
  const guests = [await startLanGuest(lab, 61), await startLanGuest(lab, 62)] as const
  await Promise.all(guests.map((guest) => guest.ready()))
  say(`  both have booted after ${((performance.now() - start) / 1000).toFixed(1)} s`)
  await pings(lab, guests)
  say(`\n$ brstatus\n${(await lab.ok('host', [bin('brstatus')])).trimEnd()}`)
  return guests
}

async function pings(lab: Lab, [first, second]: Guests): Promise<void> {
  for (const [guest, number, other] of [
    [first, 61, 62],
    [second, 62, 61],
  ] as const) {
    for (const [who, addresses] of targetsOf(other)) {
      const exits = []
      for (const address of addresses) exits.push((await guest.run(`ping -c1 -W3 ${address}`)).exit)
      claim(
        exits.every((exit) => exit === 0),
        `guest${number} pings ${who} (${addresses.join(', ')})`,
      )
    }
    const own = [`192.168.1.${number}`, `fd01::${number}`]
    const answers = await Promise.all(own.map((each) => lab.run('outside', ['ping', '-c1', '-W3', each])))
    claim(
      answers.every(({ exit }) => exit === 0),
      `the outside host pings guest${number} (${own.join(', ')})`,
    )
  }
}

/** `brdown` waits for them to go; they quit, and their taps with them. */
export async function guestsLeave(lab: Lab, guests: Guests): Promise<void> {
  const refused = await lab.run('host', [bin('brdown')])
  say(`\n$ sudo brdown\n${refused.stderr.trimEnd()}`)
  claim(refused.exit === 3, 'brdown does not pull the bridge from under a guest (exit 3)')
  say('\n(qemu) quit   (twice)')
  const ends = await Promise.all(guests.map((guest) => guest.quit()))
  const ports = await portsOf(lab, 'br0')
  claim(
    ends.every(({ exit }) => exit === 0) && ports.join() === 'eth0',
    `both guests ended with 0; the ports of br0 now: ${ports.join(', ')}`,
  )
}
