import { setTimeout as delay } from 'node:timers/promises'

import type { Lab } from '../../test/lab/lab.ts'
import { addressOf } from '../../test/lab/topology.ts'

const families = [4, 6] as const

/** In milliseconds, for each family. */
export type Outages = Readonly<Record<4 | 6, number>>

/** From outside to the host, all the time: an echo request of each family every 50 ms. */
export interface Probe {
  /** The longest silence between these two moments (of Date.now()), with what is left of it afterwards. */
  readonly longest: (from: number, to: number) => Promise<Outages>
}

const interval = 50
/** How long somebody who is silent at the end is waited for. */
const patience = 2500

// Of real-time priority where allowed, so that a busy machine is not taken for a silent host.
const script = 'chrt --fifo --pid 10 $$ >/dev/null 2>&1; exec ping -D -n -i "$1" "-$2" "$3"'

interface Answer {
  readonly time: number
  readonly number: number
}

const answersIn = (text: string): readonly Answer[] =>
  [...text.matchAll(/^\[(\d+\.\d+)\] \d+ bytes from .*icmp_seq=(\d+) /gm)].map(([, time, number]) => ({
    time: Number(time) * 1000,
    number: Number(number),
  }))

/** By number as well as by clock: who had the CPU meanwhile makes no silence. */
const silence = (a: Answer, b: Answer): number => Math.min(b.time - a.time, (b.number - a.number) * interval)

function longestIn(answers: readonly Answer[], from: number, to: number): number {
  const first = answers.findLastIndex(({ time }) => time <= from)
  const last = answers.findIndex(({ time }) => time >= to)
  const seen = answers.slice(Math.max(first, 0), last < 0 ? undefined : last + 1)
  const gaps = seen.slice(1).map((answer, index) => silence(seen[index] ?? answer, answer))
  const end = seen.at(-1)?.time ?? from
  const still = last < 0 ? Date.now() - Math.max(end, from) : 0
  return Math.round(Math.max(0, still, ...gaps))
}

/** Comes back once both families have answered; throws when one does not within ten seconds. */
export async function startProbe(lab: Lab): Promise<Probe> {
  const pings = await Promise.all(
    families.map((family) =>
      lab.start('outside', [
        ...['sh', '-c', script, 'probe', String(interval / 1000), String(family)],
        addressOf.host[family],
      ]),
    ),
  )
  for (const ping of pings) await ping.waitFor(/icmp_seq=\d+ ttl/)
  const longest = async (index: number, from: number, to: number): Promise<number> => {
    const answers = (): readonly Answer[] => answersIn(pings[index]?.stdout() ?? '')
    const deadline = to + patience
    while ((answers().at(-1)?.time ?? 0) < to && Date.now() < deadline) await delay(10)
    return longestIn(answers(), from, to)
  }
  return {
    longest: async (from, to) => {
      const [four = 0, six = 0] = await Promise.all(families.map((_, index) => longest(index, from, to)))
      return { 4: four, 6: six }
    },
  }
}
