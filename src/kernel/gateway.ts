import * as v from 'valibot'
import { sleep } from './clock.ts'
import { ipBatch } from './ip.ts'
import { neighbourSchema } from './schema.ts'

/**
 * Whether a gateway answers, as the kernel itself finds out: a neighbour entry in state PROBE makes it ask by
 * unicast. Needs no ping, and works where ICMP is filtered.
 */

export interface Gateway {
  readonly address: string
  readonly mac: string
}

interface Patience {
  readonly milliseconds: number
  readonly signal: AbortSignal
}

const seconds = 10
const pause = 20

interface Neighbour {
  readonly dst: string
  readonly mac: string | undefined
  readonly states: readonly string[]
}

async function neighbours(dev: string): Promise<readonly Neighbour[]> {
  const { ok, stdout } = await ipBatch(['-j'], { lines: [`neigh show dev "${dev}" nud all`], seconds })
  const parsed = v.safeParse(v.array(neighbourSchema), ok && stdout !== '' ? JSON.parse(stdout) : [])
  return parsed.success
    ? parsed.output.map(({ dst, lladdr, state }) => ({ dst, mac: lladdr, states: state }))
    : []
}

/**
 * Asks gateways on a link: which answer, and which do not in time. One with a NOARP entry is in neither: somebody made
 * that, the kernel asks nobody for it, and a probe would destroy it.
 */
export async function askGateways(
  dev: string,
  addresses: readonly string[],
  patience: Patience,
): Promise<{ readonly answering: readonly Gateway[]; readonly silent: readonly string[] }> {
  if (addresses.length === 0) return { answering: [], silent: [] }
  const known = await neighbours(dev)
  const entryOf = (address: string): Neighbour | undefined => known.find(({ dst }) => dst === address)
  const asked = addresses.filter((address) => !isIn(entryOf(address), 'NOARP'))
  const gateways = asked.map((address) => ({ address, mac: entryOf(address)?.mac }))
  const answers = await untilAnswered(dev, gateways, patience)
  const answering = answers.flatMap(({ dst, mac }) => (mac === undefined ? [] : [{ address: dst, mac }]))
  return {
    answering,
    silent: asked.filter((address) => !answering.some((answer) => answer.address === address)),
  }
}

/** Asks gateways that answered before, now on another link; returns the addresses of those that do not in time. */
export async function silentGateways(
  dev: string,
  gateways: readonly Gateway[],
  patience: Patience,
): Promise<readonly string[]> {
  const answers = await untilAnswered(dev, gateways, patience)
  return gateways
    .map(({ address }) => address)
    .filter((address) => !answers.some(({ dst }) => dst === address))
}

interface Question {
  readonly address: string
  readonly mac: string | undefined
}

/** By unicast where the MAC address is known, else by broadcast or multicast. */
const questionLine = ({ address, mac }: Question, dev: string): string =>
  `neigh replace ${address} dev "${dev}" ${mac === undefined ? 'use' : `lladdr ${mac} nud probe`}`

const isIn = (entry: Neighbour | undefined, ...states: readonly string[]): boolean =>
  entry?.states.some((state) => states.includes(state)) === true

/**
 * The entries that are REACHABLE in the end. The kernel gives up after three questions (FAILED), and puts off some
 * (STALE, DELAY): whom it does not ask is asked anew, so that one who comes back in time is heard.
 */
async function untilAnswered(
  dev: string,
  gateways: readonly Question[],
  { milliseconds, signal }: Patience,
): Promise<readonly Neighbour[]> {
  const deadline = performance.now() + milliseconds
  for (let questions = gateways; ;) {
    const lines = questions.map((question) => questionLine(question, dev))
    if (lines.length > 0) await ipBatch(['-force'], { lines, seconds })
    const known = await neighbours(dev)
    const entryOf = (address: string): Neighbour | undefined => known.find(({ dst }) => dst === address)
    const entries = gateways.map(({ address }) => ({ address, entry: entryOf(address) }))
    const open = entries.filter(({ entry }) => !isIn(entry, 'REACHABLE'))
    if (open.length === 0 || signal.aborted || performance.now() > deadline)
      return entries.flatMap(({ entry }) => (entry !== undefined && isIn(entry, 'REACHABLE') ? [entry] : []))
    questions = open
      .filter(({ entry }) => !isIn(entry, 'PROBE', 'INCOMPLETE'))
      .map(({ address, entry }) => ({ address, mac: entry?.mac }))
    await sleep(pause)
  }
}
