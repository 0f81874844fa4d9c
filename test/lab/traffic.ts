import { fileURLToPath } from 'node:url'

import type { Lab } from './lab.ts'
import type { Running } from './start.ts'
import { tool } from './tools.ts'
import { addressOf, type Node } from './topology.ts'

type EndNode = 'host' | 'outside'

export interface TrafficOptions {
  /** Default: from `outside` to `host`. */
  readonly from?: Node
  readonly to?: EndNode
  readonly family?: 4 | 6
  /** Packets (5,000) or records (500) per second and direction. */
  readonly rate?: number
  /** Instead of the usual address of `to`. */
  readonly address?: string
}

export interface FlowReport {
  readonly sent: number
  /** Answers that came back, each counted once. */
  readonly received: number
  /** Of both directions together. */
  readonly lost: number
  /** On the way there, and on the way back. */
  readonly lostThere: number
  readonly lostBack: number
  /** Milliseconds: the most packets missing in a row, times their distance. */
  readonly longestGap: number
  /** Milliseconds between two answers: also counts packets that were held up and not lost, and a busy CPU. */
  readonly longestSilence: number
}

export interface StreamReport {
  /** The connection lived until it was stopped, and all that was sent came, in order, both ways. */
  readonly survived: boolean
  readonly sent: number
  readonly received: number
  readonly sentBack: number
  readonly receivedBack: number
  /** Milliseconds, of either side. */
  readonly longestStall: number
  /** What the system said when it did not survive. */
  readonly error: string
}

export interface Traffic<Report> {
  /** Ends the traffic; waits for what is under way (a second for packets, six for a stream). */
  readonly stop: () => Promise<Report>
}

const script = fileURLToPath(new URL('traffic.pl', import.meta.url))

const report = async (running: Running): Promise<Record<string, unknown>> => {
  running.stdin.end()
  const match = await running.waitFor(/\{.*\}\n/, 20_000)
  return JSON.parse(match[0]) as Record<string, unknown>
}

interface Ends {
  readonly there: Running
  readonly here: Running
}

// A free port of its own for each, so that several may run at once in one lab.
const ports = { next: 20_000 }

async function bothEnds(lab: Lab, kind: readonly [string, string], options: TrafficOptions): Promise<Ends> {
  const { from = 'outside', to = 'host', family = 4 } = options
  const address = options.address ?? addressOf[to][family]
  const rate = options.rate ?? (kind[0] === 'udp-echo' ? 5000 : 500)
  const port = ports.next++
  const start = async (node: Node, mode: string): Promise<Running> => {
    const words = [mode, family, address, port, rate].map(String)
    const running = await lab.start(node, [tool('perl'), script, ...words])
    try {
      await running.waitFor(/ready\n/)
    } catch (error) {
      throw new Error(`lab: ${mode} on ${node}: ${running.stderr()}`, { cause: error })
    }
    return running
  }
  const there = await start(to, kind[0])
  return { there, here: await start(from, kind[1]) }
}

/**
 * Starts an evenly spaced UDP echo flow. On an idle lab it loses nothing; what it loses between start and `stop()` was
 * lost by the network.
 */
export async function flow(lab: Lab, options: TrafficOptions = {}): Promise<Traffic<FlowReport>> {
  const { there, here } = await bothEnds(lab, ['udp-echo', 'udp-send'], options)
  const stop = async (): Promise<FlowReport> => {
    const mine = (await report(here)) as unknown as Omit<FlowReport, 'lost'>
    const other = (await report(there)) as { received: number }
    const lost = mine.sent - mine.received
    const lostThere = mine.sent - other.received
    return { ...mine, lost, lostThere, lostBack: lost - lostThere }
  }
  return { stop }
}

interface StreamEnd {
  readonly sent: number
  readonly received: number
  readonly inOrder: boolean
  readonly longestStall: number
  readonly error: string
}

/** Opens a TCP connection on which both ends keep sending numbered records. */
export async function tcpStream(lab: Lab, options: TrafficOptions = {}): Promise<Traffic<StreamReport>> {
  const { there, here } = await bothEnds(lab, ['tcp-serve', 'tcp-connect'], options)
  const stop = async (): Promise<StreamReport> => {
    const [mine, other] = (await Promise.all([report(here), report(there)])) as unknown as [
      StreamEnd,
      StreamEnd,
    ]
    const error = mine.error || other.error
    const whole = mine.sent === other.received && other.sent === mine.received
    return {
      survived: error === '' && whole && mine.inOrder && other.inOrder,
      sent: mine.sent,
      received: other.received,
      sentBack: other.sent,
      receivedBack: mine.received,
      longestStall: Math.max(mine.longestStall, other.longestStall),
      error,
    }
  }
  return { stop }
}
