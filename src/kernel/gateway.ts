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

const seconds = 10
const pause = 20
/** How long a gateway has, before the change, to show that it answers; in milliseconds. */
const firstPatience = 1000

interface Neighbour {
  readonly dst: string
  readonly mac: string | undefined
  readonly states: readonly string[]
}

async function neighbours(dev: string): Promise<readonly Neighbour[]> {
  const { ok, stdout } = await ipBatch(['-j'], { lines: [`neigh show dev "${dev}"`], seconds })
  const parsed = v.safeParse(v.array(neighbourSchema), ok && stdout !== '' ? JSON.parse(stdout) : [])
  return parsed.success
    ? parsed.output.map(({ dst, lladdr, state }) => ({ dst, mac: lladdr, states: state }))
    : []
}

/** Those of the gateways that answer on the link now. A permanent entry is the user's, and is left alone. */
export async function answeringGateways(
  dev: string,
  addresses: readonly string[],
  signal: AbortSignal,
): Promise<readonly Gateway[]> {
  if (addresses.length === 0) return []
  const known = await neighbours(dev)
  const isPermanent = (address: string): boolean =>
    known.some(({ dst, states }) => dst === address && states.includes('PERMANENT'))
  const asked = addresses.filter((address) => !isPermanent(address))
  const lines = asked.map((address) => {
    const mac = known.find(({ dst }) => dst === address)?.mac
    const how = mac === undefined ? 'use' : `lladdr ${mac} nud probe`
    return `neigh replace ${address} dev "${dev}" ${how}`
  })
  await ipBatch(['-force'], { lines, seconds })
  const answers = await waitFor(dev, asked, { milliseconds: firstPatience, signal })
  return answers.flatMap(({ dst, mac }) => (mac === undefined ? [] : [{ address: dst, mac }]))
}

/** Asks the gateways on a link; returns the addresses of those that do not answer in time. */
export async function silentGateways(
  dev: string,
  gateways: readonly Gateway[],
  { milliseconds, signal }: { milliseconds: number; signal: AbortSignal },
): Promise<readonly string[]> {
  const lines = gateways.map(
    ({ address, mac }) => `neigh replace ${address} lladdr ${mac} dev "${dev}" nud probe`,
  )
  await ipBatch(['-force'], { lines, seconds })
  const addresses = gateways.map(({ address }) => address)
  const answers = await waitFor(dev, addresses, { milliseconds, signal })
  return addresses.filter((address) => !answers.some(({ dst }) => dst === address))
}

async function waitFor(
  dev: string,
  addresses: readonly string[],
  { milliseconds, signal }: { milliseconds: number; signal: AbortSignal },
): Promise<readonly Neighbour[]> {
  const deadline = performance.now() + milliseconds
  for (;;) {
    const entries = (await neighbours(dev)).filter(({ dst }) => addresses.includes(dst))
    const answered = entries.filter(({ states }) => states.includes('REACHABLE'))
    const open =
      addresses.length - answered.length - entries.filter(({ states }) => states.includes('FAILED')).length
    if (open <= 0 || signal.aborted || performance.now() > deadline) return answered
    await sleep(pause)
  }
}
