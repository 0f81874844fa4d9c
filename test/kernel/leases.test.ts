import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'

import { acknowledged, clients, inLeasedLab, leased } from '../helpers/dhcp-host.ts'
import { owners } from '../helpers/owners.ts'
import { ok, until } from '../helpers/tap.ts'
import type { Lab } from '../lab/lab.ts'

/** Leases of two minutes, long enough for all of them to be renewed or to be over: QTH_LEASES=3 as docs/managers.md has it. */

const times = Number(process.env['QTH_LEASES'] ?? 1)
const leaseSeconds = 120
const leases = { time: '2m' }

/** From the outside, one ping. */
const answers = async (lab: Lab, address: string): Promise<boolean> =>
  (await lab.run('router', ['ping', '-c1', '-W1', address])).exit === 0

const ipv6Of = async (lab: Lab, dev: string): Promise<readonly string[]> => {
  const text = await lab.ok('host', ['ip', '-j', '-6', 'addr', 'show', 'dev', dev, 'scope', 'global'])
  const [link] = JSON.parse(text) as { addr_info?: { local?: string }[] }[]
  // Those of another scope are there as empty objects.
  return (link?.addr_info ?? []).flatMap(({ local }) => local ?? [])
}

describe.concurrent(`${times} lease times later`, () => {
  test.each(owners)(
    '%s: the same address on the bridge, renewed there, and on the uplink again',
    async (name, { open, isBack, isLeased }) => {
      await open(leases, async ({ lab, server }) => {
        const [address = ''] = await leased(lab, 'eth0')
        const acks = (): number => acknowledged(server, address)
        await ok(lab, 'brup')
        const before = acks()
        await delay(times * leaseSeconds * 1000)
        const renewals = acks() - before
        expect(await leased(lab, 'br0')).toEqual([address])
        expect(await leased(lab, 'eth0')).toEqual([])
        expect(await answers(lab, address)).toBe(true)
        expect(await ok(lab, 'brstatus')).not.toContain('drift')
        await ok(lab, 'brdown')
        const then = acks()
        expect(await leased(lab, 'eth0')).toEqual([address])
        await until('the owner has the uplink', () => isBack(lab), 30)
        const isRenewed = (): Promise<boolean> => Promise.resolve(acks() > then + 1)
        // After half of its time, and again after the whole where it was given before we looked.
        if (isLeased) await until('it is renewed on the uplink', isRenewed, 1.5 * leaseSeconds)
        expect(await leased(lab, 'eth0')).toEqual([address])
        expect(await answers(lab, address)).toBe(true)
        console.log(`${name}: ${renewals} renewals on the bridge in ${times * leaseSeconds} s`)
        expect(renewals >= times).toBe(isLeased)
      })
    },
    (times + 2) * leaseSeconds * 1000,
  )

  test(
    'what a router advertised is still there, and is advertised again on the uplink',
    async () => {
      await inLeasedLab(clients.udhcpc.words, { ...leases, isAdvertising: true }, async ({ lab }) => {
        await until(
          'the uplink has an advertised address',
          async () => (await ipv6Of(lab, 'eth0')).length > 0,
          20,
        )
        const addresses = await ipv6Of(lab, 'eth0')
        await ok(lab, 'brup')
        await delay(times * leaseSeconds * 1000)
        expect(await ipv6Of(lab, 'br0')).toEqual(addresses)
        expect(await ipv6Of(lab, 'eth0')).toEqual([])
        for (const address of addresses) expect(await answers(lab, address)).toBe(true)
        await ok(lab, 'brdown')
        await delay(leaseSeconds * 1000)
        expect(await ipv6Of(lab, 'eth0')).toEqual(addresses)
        for (const address of addresses) expect(await answers(lab, address)).toBe(true)
      })
    },
    (times + 2) * leaseSeconds * 1000,
  )
})
