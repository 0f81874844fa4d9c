import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'

import { owners, type Owner } from '../helpers/owners.ts'
import { ok } from '../helpers/tap.ts'
import type { Lab } from '../lab/lab.ts'
import { flow, type FlowReport } from '../lab/traffic.ts'

/** What a flow of 5,000 packets a second loses where somebody looks after the uplink. */

const commands = ['brup', 'brdown'] as const
const families = [4, 6] as const
type Lost = Readonly<Record<(typeof commands)[number], Readonly<Record<4 | 6, number>>>>

const usual: Lost = { brup: { 4: 3, 6: 3 }, brdown: { 4: 10, 6: 10 } }
/** NetworkManager makes IPv6 anew when it has the uplink again. */
const withIpv6Anew = (most: number): Lost => ({ ...usual, brdown: { 4: 10, 6: most } })
const mostLost: Readonly<Record<string, Lost>> = {
  'NetworkManager, static addresses': withIpv6Anew(100),
  'NetworkManager, a lease': withIpv6Anew(100),
  'NetworkManager, a lease and router advertisements': withIpv6Anew(300),
}

/** Before and after each command, in milliseconds: what an owner does with the link comes soon after it. */
const margin = 300
const most = 3

type Measured = Readonly<Record<(typeof commands)[number], Partial<Record<4 | 6, FlowReport>>>>

async function oneRun({ open }: Owner): Promise<Measured> {
  const measured: Measured = { brup: {}, brdown: {} }
  await open({ time: '2m' }, async ({ lab }) => {
    for (const command of commands) {
      const flows = await Promise.all(
        families.map(async (family) => {
          const address = await globalAddress(lab, family)
          return address === undefined ? undefined : { family, running: await flow(lab, { family, address }) }
        }),
      )
      await delay(margin)
      await ok(lab, command)
      await delay(2 * margin)
      for (const each of flows)
        if (each !== undefined) measured[command][each.family] = await each.running.stop()
    }
  })
  return measured
}

/** The first one that the host has, on whichever link. */
async function globalAddress(lab: Lab, family: 4 | 6): Promise<string | undefined> {
  const words = ['ip', '-j', `-${family}`, 'addr', 'show', 'scope', 'global']
  const links = JSON.parse(await lab.ok('host', words)) as { addr_info?: { local?: string }[] }[]
  return links.flatMap(({ addr_info: all = [] }) => all).flatMap(({ local }) => local ?? [])[0]
}

test.each(owners)('%s', async (name, owner) => {
  const limits = mostLost[name] ?? usual
  const isWithin = (run: Measured): boolean =>
    commands.every((command) =>
      families.every((family) => (run[command][family]?.lost ?? 0) <= limits[command][family]),
    )
  const runs: Measured[] = []
  while (runs.length < most && !runs.some(isWithin)) runs.push(await oneRun(owner))
  const cells = commands.flatMap((command) =>
    families.flatMap((family) => {
      const reports = runs.flatMap((run) => run[command][family] ?? [])
      const lost = reports.map((report) => `${report.lost} (gap ${report.longestGap} ms)`)
      return lost.length === 0 ? [] : [`${command} IPv${family}: ${lost.join(' ')}`]
    }),
  )
  console.log(`${name}: lost at 5 kHz: ${cells.join(', ')}`)
  for (const run of runs)
    for (const command of commands)
      expect(run[command][4]?.sent ?? 0, command).toBeGreaterThan(2 * margin * 4)
  expect(runs.some(isWithin)).toBe(true)
})
