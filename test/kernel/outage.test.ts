import { setTimeout as delay } from 'node:timers/promises'

import { expect, test } from 'vitest'

import { bin } from '../helpers/faults.ts'
import { refuseDetours } from '../helpers/soon.ts'
import { openLab, type Lab, type LabOptions } from '../lab/lab.ts'
import { flow, tcpStream, type FlowReport, type StreamReport } from '../lab/traffic.ts'

type Name = 'brup' | 'brdown'

interface Case extends LabOptions {
  readonly name: string
  /** How many of the 5,000 packets a second each command may cost, by the family. */
  readonly mostLost: Readonly<Record<4 | 6, number>>
}

const usual = { 4: 3, 6: 3 } as const

const cases: readonly Case[] = [
  { name: 'rp_filter 0', mostLost: usual },
  { name: 'rp_filter 2', rpFilter: 2, mostLost: usual },
  { name: 'rp_filter 1', rpFilter: 1, mostLost: { 4: 12, 6: 3 } },
  { name: 'metric 100', defaultMetric: 100, mostLost: usual },
  {
    name: 'metric 100, a second uplink with 101',
    defaultMetric: 100,
    secondUplink: { metric: 101 },
    mostLost: usual,
  },
]

const families = [4, 6] as const
const commands = ['brup', 'brdown'] as const
const most = 3
/** Before and after each command, in milliseconds: the flow runs well before it, and what comes late is seen. */
const margin = 300

type Measured = Readonly<Record<Name, Readonly<Record<4 | 6, FlowReport>>>>

/** Both flows at once, through one command. */
async function through(lab: Lab, command: Name): Promise<Measured[Name]> {
  const [four, six] = [await flow(lab, { family: 4 }), await flow(lab, { family: 6 })]
  await delay(margin)
  await lab.ok('host', [bin(command)])
  await delay(margin)
  const [reportFour, reportSix] = await Promise.all([four.stop(), six.stop()])
  return { 4: reportFour, 6: reportSix }
}

interface Run {
  readonly flows: Measured
  readonly streams: readonly StreamReport[]
}

async function oneRun({ ...options }: Case): Promise<Run> {
  const lab = await openLab(options)
  try {
    if (options.secondUplink !== undefined) await refuseDetours(lab)
    const streams = await Promise.all(families.map((family) => tcpStream(lab, { family })))
    const flows = { brup: await through(lab, 'brup'), brdown: await through(lab, 'brdown') }
    return { flows, streams: await Promise.all(streams.map((stream) => stream.stop())) }
  } finally {
    await lab.close()
  }
}

const isWithin = ({ flows }: Run, { mostLost }: Case): boolean =>
  commands.every((command) => families.every((family) => flows[command][family].lost <= mostLost[family]))

/** The fewest lost of all runs, for a command and a family. */
const best = (runs: readonly Run[], command: Name, family: 4 | 6): FlowReport | undefined =>
  runs.map(({ flows }) => flows[command][family]).sort((a, b) => a.lost - b.lost)[0]

const row = (name: string, runs: readonly Run[]): string => {
  const cells = commands.flatMap((command) =>
    families.map((family) => {
      const all = runs.map(({ flows }) => flows[command][family].lost).join(' ')
      const { longestGap = 0 } = best(runs, command, family) ?? {}
      return `${command} IPv${family}: ${all} (gap ${longestGap} ms)`
    }),
  )
  return `${name}: lost at 5 kHz: ${cells.join(', ')}`
}

test.each(cases)('$name: a 5 kHz flow loses next to nothing, and no connection breaks', async (each) => {
  const runs: Run[] = []
  while (runs.length < most && !runs.some((run) => isWithin(run, each))) runs.push(await oneRun(each))
  console.log(row(each.name, runs))
  for (const command of commands)
    for (const family of families) {
      const where = `${command} IPv${family}`
      const { sent = 0, lost = sent } = best(runs, command, family) ?? {}
      expect(sent, where).toBeGreaterThan(2 * margin * 4)
      expect(lost, where).toBeLessThanOrEqual(each.mostLost[family])
    }
  for (const { survived, error, received, receivedBack } of runs.flatMap(({ streams }) => streams)) {
    expect({ survived, error }).toEqual({ survived: true, error: '' })
    expect(Math.min(received, receivedBack)).toBeGreaterThan(500)
  }
})
