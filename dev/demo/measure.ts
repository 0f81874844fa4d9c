import { setTimeout as delay } from 'node:timers/promises'

import type { Lab } from '../../test/lab/lab.ts'
import { flow, tcpStream, type FlowReport, type Traffic } from '../../test/lab/traffic.ts'
import type { StreamReport } from '../../test/lab/traffic.ts'
import { bin } from './guests.ts'
import { claim, say } from './tell.ts'

const families = [4, 6] as const

/** Packets a second, of each family. */
const rate = 5000
/** Before and after the command, in milliseconds. */
const margin = 300
/** What is claimed of the longest gap, in milliseconds; what was measured is said beside it. */
const longestClaimed = 100

export interface Outage {
  readonly command: string
  /** One for each family. */
  readonly reports: readonly FlowReport[]
}

/** Runs a command while 5,000 packets a second of each family go from outside to the host and back. */
export async function measured(lab: Lab, command: 'brup' | 'brdown'): Promise<Outage> {
  const flows = [await flow(lab, { family: 4, rate }), await flow(lab, { family: 6, rate })]
  await delay(margin)
  say(`\n$ sudo ${command}`)
  const start = performance.now()
  const { exit, stdout, stderr } = await lab.run('host', [bin(command)])
  const seconds = (performance.now() - start) / 1000
  await delay(margin)
  const reports = await Promise.all(flows.map((each) => each.stop()))
  say(`  ${(stdout + stderr).trim()} (${seconds.toFixed(1)} s)`)
  claim(exit === 0, `${command} ended with 0`)
  reports.forEach((report, index) => {
    const text = `IPv${families[index] ?? ''} flow through ${command}: ${lossText(report)}`
    claim(report.received > 0 && report.longestGap <= longestClaimed, text)
  })
  return { command, reports }
}

const count = (value: number): string => value.toLocaleString('en')

const lossText = ({ sent, lost, longestGap }: FlowReport): string =>
  `${count(lost)} of ${count(sent)} packets lost, longest gap ${longestGap.toFixed(1)} ms`

export function outageTable(outages: readonly Outage[]): string {
  const row = (...cells: readonly string[]): string =>
    cells.map((cell, column) => cell.padEnd(column === 0 ? 10 : 20)).join('')
  const head = row('', ...families.map((family) => `IPv${family}`))
  const rows = outages.map(({ command, reports }) =>
    row(command, ...reports.map(({ lost, longestGap }) => `${lost} lost, ${longestGap.toFixed(1)} ms`)),
  )
  return [head, ...rows].map((line) => `  ${line.trimEnd()}`).join('\n')
}

/** Connections from outside to the host that stay open through the whole story, as an SSH session would. */
export async function openSessions(lab: Lab): Promise<() => Promise<void>> {
  const streams: Traffic<StreamReport>[] = []
  for (const family of families) streams.push(await tcpStream(lab, { family }))
  return async () => {
    const reports = await Promise.all(streams.map((stream) => stream.stop()))
    reports.forEach(({ survived, sent, sentBack, error }, index) => {
      const whole = `${count(sent)} records out, ${count(sentBack)} back, none lost or out of order`
      claim(survived, `the TCP connection over IPv${families[index] ?? ''} outlived both: ${error || whole}`)
    })
  }
}
