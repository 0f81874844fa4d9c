import { setTimeout as delay } from 'node:timers/promises'

import type { Fault as IpFault } from '../../test/helpers/faults.ts'
import { perform, type Stage } from './acts.ts'
import type { Fault, When } from './fault.ts'
import { lockTaken, type Measure } from './measure.ts'

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0)
const nth = (part: number, count: number): number => 1 + Math.floor(part * Math.max(count, 1))

/** The fault for the `ip` of the command: by place, out of what the same command did without a fault. */
export function ipFault(fault: Fault, { calls }: Measure): IpFault {
  const lineAt = (part: number): number => nth(part, sum(calls))
  switch (fault.kind) {
    case 'line':
      return { kind: fault.how, at: lineAt(fault.part) }
    case 'call':
      return { kind: `call-${fault.how}`, at: nth(fault.part, calls.length) }
    case 'message': {
      const changing = calls.flatMap((lines, index) => (lines > 0 ? [{ lines, at: index + 1 }] : []))
      const { lines = 1, at = 1 } = changing[nth(fault.part, changing.length) - 1] ?? {}
      return { kind: 'call-inject', at, inject: `sendmsg:${fault.inject}:when=${nth(fault.message, lines)}` }
    }
    case 'act':
      return fault.when.at === 'line'
        ? { kind: 'gate', at: lineAt(fault.when.part) }
        : { kind: 'none', at: 1 }
    case 'foreign':
      return { kind: 'none', at: 1 }
  }
}

/** Whether the moment came before the command ended. */
async function moment(when: When, { scene, ended }: Stage, { lock, whole }: Measure): Promise<boolean> {
  if (when.at === 'time') {
    if (when.from === 'lock' && !(await lockTaken(scene.lock, ended))) return false
    await delay(when.part * (when.from === 'lock' ? whole - lock : whole))
  }
  if (when.at === 'line') while (scene.faulty.hit() === '' && !ended()) await delay(1)
  return !ended()
}

async function meddle(
  { lines, pause }: Fault & { kind: 'foreign' },
  { scene, ended }: Stage,
): Promise<boolean> {
  let done = 0
  while (!ended())
    for (const line of lines) {
      if ((await scene.agent.try(line)) && !ended()) done += 1
      await delay(pause)
      if (ended()) break
    }
  return done > 0
}

/** Plays the fault while the command runs, and comes back when it has ended; whether it met the command. */
export async function strike(fault: Fault, stage: Stage, measure: Measure): Promise<boolean> {
  const { scene, running } = stage
  if (fault.kind === 'foreign') return meddle(fault, stage)
  if (fault.kind !== 'act') {
    await running.exited
    return scene.faulty.hit() !== ''
  }
  const hit =
    fault.when.at === 'start' ||
    ((await moment(fault.when, stage, measure)) && (await perform(fault.act, stage)))
  await running.exited
  return hit
}
