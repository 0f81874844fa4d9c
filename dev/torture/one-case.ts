import { setTimeout as delay } from 'node:timers/promises'

import { bin } from '../../test/helpers/faults.ts'
import { journals, linkOf } from '../../test/helpers/tap.ts'
import { reachable } from '../../test/lab/reachable.ts'
import type { Result } from '../../test/lab/run.ts'
import { diffSnapshots } from '../../test/lab/snapshot.ts'
import { setUp, undoing } from './acts.ts'
import type { Case, Move, Place } from './cases.ts'
import { isRude, leavesNobody } from './fault.ts'
import { endOf, timed, type Measure } from './measure.ts'
import type { Outages } from './probe.ts'
import { watchdogs } from './processes.ts'
import { taps, view, type Scene } from './scene.ts'
import { ipFault, strike } from './strike.ts'
import { traced } from './trace.ts'
import {
  judgeHook,
  judgeNext,
  judgeOutages,
  placeOf,
  placesAfter,
  strayed,
  type Ending,
  type HookEnding,
} from './verdict.ts'

/** What came of a case. */
export interface Finding {
  readonly hit: boolean
  readonly ends: readonly (Pick<Ending, 'line' | 'exit' | 'stderr'> & { readonly milliseconds: number })[]
  /** Until the network was as it may be, after the command had ended. */
  readonly settledAfter: number
  readonly outages: Outages
  /** Empty: restored. */
  readonly problems: readonly string[]
  /** What the network said of itself while it was silent. */
  readonly trace: readonly string[]
}

/** How long the network may take until it is as it should be, in milliseconds. */
const patience = 3000

const words = (line: string): readonly string[] => line.split(' ')

async function typed({ lab }: Scene, line: string): Promise<Result> {
  const [name = '', ...args] = words(line)
  return lab.run('host', [bin(name), ...args], { timeout: 120_000 })
}

/** What differs from both places, as soon as the network is at one of these or the time is over. */
async function leftAfter(scene: Scene, places: readonly Place[]): Promise<Ending['left']> {
  const deadline = Date.now() + patience
  for (;;) {
    const now = await view(scene)
    const left = {
      lowered: diffSnapshots(scene.views.lowered, now),
      raised: diffSnapshots(scene.views.raised, now),
    }
    if (places.some((place) => left[place].length === 0) || Date.now() > deadline) return left
    await delay(20)
  }
}

/** What a foreign process left was there at the commit: without it the bridge has drifted, and brdown would put it back. */
const isForeign = (journal: string): boolean => /"(fd9f:|10\.99\.)/.test(journal)

const takeTapsOff = ({ agent }: Scene): Promise<boolean> =>
  agent.try(`for t in ${taps.join(' ')}; do ip link set $t nomaster; ip link set $t down; done`)

/** The state that a case starts from. Throws when it cannot be reached without a fault. */
async function arrive(scene: Scene, { from, guests }: Move): Promise<void> {
  await takeTapsOff(scene)
  if (isForeign(await journals(scene.lab))) {
    await typed(scene, 'brdown --force')
    await scene.agent.try(undoing)
  }
  if (diffSnapshots(scene.views[from], await view(scene)).length > 0) {
    const { exit, stderr } = await typed(scene, from === 'raised' ? 'brup' : 'brdown --force')
    const left = (await leftAfter(scene, [from]))[from]
    if (exit !== 0 || left.length > 0)
      throw new Error([`cannot be ${from}: exit ${exit}: ${stderr}`, ...left.slice(0, 6)].join('\n'))
    // brup attaches those that the case before it left listed as detached.
    await takeTapsOff(scene)
  }
  if (guests) for (const tap of taps.slice(0, 2)) await scene.lab.ok('host', [bin('qemu-ifup'), tap])
}

async function hookEnding(scene: Scene, line: string, after: number): Promise<() => Promise<HookEnding>> {
  await delay(after)
  const { exit, stderr } = await typed(scene, line)
  return async () => ({ line, exit, stderr, master: (await linkOf(scene.lab, taps[0]))?.master })
}

/** No watchdog is left over once all is done, and no journal of a bridge that is down. */
async function leftOvers(scene: Scene, place: Place): Promise<readonly string[]> {
  const deadline = Date.now() + patience
  while (watchdogs(scene.namespace).length > 0 && Date.now() < deadline) await delay(20)
  const left = watchdogs(scene.namespace).map((pid) => `a watchdog is left (pid ${pid})`)
  const files = place === 'lowered' ? await journals(scene.lab) : ''
  return files === '' ? left : [...left, `a journal is left: ${files.slice(0, 200)}`]
}

const clock = (): (() => number) => {
  const start = performance.now()
  return () => Math.round(performance.now() - start)
}

interface First {
  readonly end: Finding['ends'][number] & { readonly stdout: string }
  readonly hit: boolean
  readonly hook: Promise<() => Promise<HookEnding>> | undefined
}

/** The command, and the fault that meets it. */
async function playFirst(scene: Scene, { move, fault }: Case, measure: Measure): Promise<First> {
  const isSetUp = await setUp(fault, scene)
  const sinceStart = clock()
  const running = await scene.faulty.start(words(move.line), ipFault(fault, measure))
  let milliseconds: number | undefined
  void running.exited.then(() => (milliseconds = sinceStart()))
  const hook = move.hook && hookEnding(scene, move.hook.line, move.hook.part * measure.whole)
  const holds = fault.kind === 'act' && fault.when.at === 'line' && fault.when.hold
  const release = holds ? (): void => undefined : scene.faulty.open
  const stage = { scene, running, ended: () => milliseconds !== undefined, release }
  const isStruck = await strike(fault, stage, measure)
  const { exit, stdout, stderr } = await endOf(running)
  return {
    end: { line: move.line, exit, stdout, stderr, milliseconds: milliseconds ?? sinceStart() },
    hit: isSetUp || isStruck,
    hook,
  }
}

interface Next extends Ending {
  readonly milliseconds: number
}

async function playOne(scene: Scene, line: Move['line']): Promise<Next> {
  const since = clock()
  const { exit, stderr } = await typed(scene, line)
  const milliseconds = since()
  await scene.agent.try(undoing)
  return { line, exit, stderr, milliseconds, left: await leftAfter(scene, [placeOf(line)]) }
}

/** What a user types next; where that is refused for what somebody rude did, the way out. */
async function playNext(scene: Scene, { next, fault }: Case): Promise<readonly [Next, ...Next[]]> {
  const one = await playOne(scene, next)
  if (!isRude(fault) || one.exit !== 3) return [one]
  return [one, await playOne(scene, 'brdown --force')]
}

/** Plays one case. Throws when the lab cannot be brought to where it starts. */
export async function playCase(scene: Scene, played: Case): Promise<Finding> {
  const { move, fault, next } = played
  await arrive(scene, move)
  const measure =
    move.from === move.to
      ? (await timed(scene, words(move.line))).measure
      : scene.measures[move.line === 'brup' ? 'brup' : 'brdown']
  const from = Date.now()
  const { end, hit, hook } = await playFirst(scene, played, measure)
  const sinceEnd = clock()
  const isOpen = isRude(fault) || leavesNobody(fault)
  if (!isRude(fault)) await scene.agent.try(undoing)
  const places = placesAfter(end, played)
  const strays = isOpen ? [] : strayed({ ...end, left: await leftAfter(scene, places) }, places)
  const settledAfter = sinceEnd()
  const following = await playNext(scene, played)
  const last = following.at(-1) ?? following[0]
  const over = Date.now()
  const outages = await scene.probe.longest(isRude(fault) ? over : from, Date.now())
  const silences = judgeOutages(outages)
  const trace = silences.length > 0 ? await traced(scene) : []
  scene.faulty.open()
  return {
    hit,
    ends: [
      end,
      ...following.map(({ line, exit, stderr, milliseconds }) => ({ line, exit, stderr, milliseconds })),
    ],
    settledAfter,
    outages,
    trace,
    problems: [
      ...strays,
      ...judgeNext(last, fault, scene.state.adopted),
      ...(hook === undefined ? [] : judgeHook(await (await hook)(), next === 'brdown --force')),
      ...silences,
      ...(last.exit === 4 ? [] : await reachable(scene.lab)),
      ...(last.exit === 0 ? await leftOvers(scene, placeOf(last.line)) : []),
    ],
  }
}
