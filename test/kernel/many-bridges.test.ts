import fc from 'fast-check'
import { expect, test } from 'vitest'

import { bin, inLab, linkOf, ok } from '../helpers/tap.ts'
import { startVethGuest, type VethGuest } from '../helpers/veth-guest.ts'
import { processesLike } from '../helpers/watchdog.ts'
import type { Lab } from '../lab/lab.ts'
import { reachable } from '../lab/reachable.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'
import type { Running } from '../lab/start.ts'

/** Many bridges of all kinds at once: on the LAN, host-only, with NAT, with a server. */

// QTH_ROUNDS=20 for a long run; QTH_SEED=… for the orders of an earlier one.
const rounds = Number(process.env['QTH_ROUNDS'] ?? 2)
const seed = Number(process.env['QTH_SEED'] ?? Date.now() % 1_000_000_000)

const file = '/run/config.toml'
const options = { env: { QEMU_TAP_HOOKS_CONFIG: file } }

const kinds = ['uplink', 'host-only', 'nat', 'served'] as const
type Kind = (typeof kinds)[number]

interface Bridge {
  readonly name: string
  readonly number: number
  readonly kind: Kind
}

const bridges: readonly Bridge[] = Array.from({ length: 16 }, (_, number) => ({
  name: `br${number}`,
  number,
  kind: number === 0 ? 'uplink' : (kinds[1 + (number % 3)] ?? 'nat'),
}))
const tapsOf = ({ number }: Bridge): readonly string[] => [0, 1, 2, 3].map((tap) => `t${number}-${tap}`)

const tables = (bridge: Bridge): readonly string[] => {
  const { name, number, kind } = bridge
  const subnet = `192.168.${100 + number}`
  return [
    `[[bridge]]\nname = "${name}"\n`,
    kind === 'uplink'
      ? 'uplink = "eth0"\n'
      : `uplink = false\naddress = ["${subnet}.1/24", "fd00:${100 + number}::1/64"]\n`,
    kind === 'nat' || kind === 'served' ? 'nat = true\n' : '',
    kind === 'served' ? `dhcp_range = "${subnet}.50,${subnet}.59"\n` : '',
    `[[tap]]\nmatch = "t${number}-*"\nbridge = "${name}"\n`,
  ]
}

const prepare = async (lab: Lab): Promise<void> => {
  await lab.ok('host', ['tee', file], { input: bridges.flatMap(tables).join('') })
}

/** The network, and how many servers there are. */
const sight = async (lab: Lab): Promise<string> =>
  `${await snapshot(lab)}\n${(await processesLike(lab, 'qemu-tap-hooks-dnsmasq *')).length} servers`

/** An order of them all, drawn from the seed. */
const shuffled = (round: number): readonly Bridge[] =>
  fc.sample(fc.shuffledSubarray([...bridges], { minLength: bridges.length }), {
    seed: seed + round,
    numRuns: 1,
  })[0] ?? bridges

const hook = (lab: Lab, name: 'qemu-ifup' | 'qemu-ifdown', taps: readonly string[]): Promise<unknown> =>
  Promise.all(taps.map((tap) => ok(lab, `${name} ${tap}`, options)))

test(
  `16 bridges and 64 taps go up and down in random order, ${rounds} times (seed ${seed})`,
  { timeout: 60_000 + rounds * 120_000 },
  async () => {
    await inLab(async (lab) => {
      await prepare(lab)
      const before = await sight(lab)
      for (let round = 0; round < rounds; round += 1) {
        const taps = bridges.flatMap(tapsOf)
        await lab.ip(
          'host',
          taps.map((tap) => `tuntap add ${tap} mode tap`),
        )
        const [rising, falling] = [shuffled(2 * round), shuffled(2 * round + 1)]
        for (const bridge of rising) {
          await ok(lab, `brup ${bridge.name}`, options)
          await hook(lab, 'qemu-ifup', tapsOf(bridge))
        }
        for (const bridge of bridges)
          expect(
            await Promise.all(tapsOf(bridge).map(async (tap) => (await linkOf(lab, tap))?.master)),
          ).toEqual(tapsOf(bridge).map(() => bridge.name))
        expect(await reachable(lab)).toEqual([])
        for (const { name } of bridges)
          expect(await ok(lab, `brstatus ${name}`)).not.toMatch(/drift: (?!stale: port t)/)
        for (const bridge of falling) {
          await hook(lab, 'qemu-ifdown', tapsOf(bridge))
          await ok(lab, `brdown ${bridge.name}`, options)
        }
        await lab.ip(
          'host',
          taps.map((tap) => `tuntap del ${tap} mode tap`),
        )
        expect(await reachable(lab)).toEqual([])
        expect(diffSnapshots(before, await sight(lab))).toEqual([])
      }
    })
  },
)

/** A hundred packets a second from a guest to the target, until it is stopped. */
async function flow(guest: VethGuest, target: string): Promise<Running> {
  const running = await guest.start(['ping', '-n', '-i', '0.01', target])
  await running.waitFor(/icmp_seq=\d+/)
  return running
}

/** Packets that got no answer, up to the last one that got one: those behind it are still under way. */
async function lostOf(running: Running): Promise<string> {
  running.kill('SIGINT')
  await running.exited
  const answered = new Set([...running.stdout().matchAll(/icmp_seq=(\d+)/g)].map(([, at]) => Number(at)))
  const last = Math.max(...answered)
  expect(last).toBeGreaterThan(100)
  return `${last - answered.size} of ${last}`
}

test('no bridge that comes or goes costs another one a packet', async () => {
  await inLab(async (lab) => {
    await prepare(lab)
    const [lan, nat] = [bridges[0], bridges.find(({ kind }) => kind === 'nat')]
    const others = bridges.filter((bridge) => bridge !== lan && bridge !== nat).slice(0, 4)
    expect(new Set(others.map(({ kind }) => kind))).toEqual(new Set(['host-only', 'nat', 'served']))
    for (const bridge of [lan, nat]) await ok(lab, `brup ${bridge?.name ?? ''}`, options)
    const subnet = 100 + (nat?.number ?? 0)
    const guests = [
      await startVethGuest(lab, { name: 'g0', bridge: 'br0', addresses: ['192.168.1.77/24', 'fd01::77/64'] }),
      await startVethGuest(lab, {
        name: 'g1',
        bridge: nat?.name ?? '',
        addresses: [`192.168.${subnet}.7/24`, `fd00:${subnet}::7/64`],
      }),
    ]
    const flows = await Promise.all(
      guests.flatMap((guest) => ['203.0.113.9', 'fd99::9'].map((target) => flow(guest, target))),
    )
    for (const { name } of others) await ok(lab, `brup ${name}`, options)
    for (const { name } of others.toReversed()) await ok(lab, `brdown ${name}`, options)
    const lost = await Promise.all(flows.map(lostOf))
    expect(lost).toEqual(lost.map((each) => each.replace(/^\d+/, '0')))
    await lab.ok('host', [bin('brdown'), 'br0', '--force'])
  })
})
