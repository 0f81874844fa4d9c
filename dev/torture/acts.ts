import { setTimeout as delay } from 'node:timers/promises'

import type { Running } from '../../test/lab/start.ts'
import type { Act, Fault, Victim } from './fault.ts'
import { keepGoing, send, watchdogs } from './processes.ts'
import type { Scene } from './scene.ts'

/** A command under way, and the lab that it is in. */
export interface Stage {
  readonly scene: Scene
  readonly running: Running
  readonly ended: () => boolean
  /** Lets an `ip` that waits at the gate go on. */
  readonly release: () => void
}

/** How long a watchdog is waited for, in milliseconds. */
const patience = 1500

/** Empty when the command ends without one. */
async function watchdogPids({ scene, ended }: Stage): Promise<readonly number[]> {
  const deadline = Date.now() + patience
  for (;;) {
    const found = watchdogs(scene.namespace)
    if (found.length > 0 || ended() || Date.now() > deadline) return found
    await delay(2)
  }
}

async function pidsOf(victim: Victim, stage: Stage): Promise<readonly number[]> {
  if (victim === 'command') return [stage.running.pid]
  const pids = await watchdogPids(stage)
  if (victim === 'watchdog' || pids.length === 0) return pids
  return [stage.running.pid, ...pids]
}

/** Stopped first, so that none of them sees another die. */
async function killThem(victim: Victim, stage: Stage): Promise<boolean> {
  const pids = await pidsOf(victim, stage)
  if (stage.ended()) return false
  if (pids.length > 1) for (const pid of pids) send(pid, 'SIGSTOP')
  const hit = pids.map((pid) => send(pid, 'SIGKILL'))
  if (victim !== 'watchdog') keepGoing(stage.running)
  stage.release()
  return hit.length > 0 && hit.every(Boolean)
}

async function stopThem(act: Act & { kind: 'stop' }, stage: Stage): Promise<boolean> {
  const pids = await pidsOf(act.victim, stage)
  if (stage.ended()) return false
  const hit = pids.map((pid) => send(pid, 'SIGSTOP'))
  stage.release()
  await delay(act.milliseconds)
  for (const pid of pids) send(pid, act.then)
  if (act.victim !== 'watchdog') keepGoing(stage.running)
  return hit.length > 0 && hit.every(Boolean)
}

async function signalIt(act: Act & { kind: 'signal' }, { running, release }: Stage): Promise<boolean> {
  const hit = running.kill(act.signal)
  release()
  if (act.again !== undefined) {
    await delay(act.again.after)
    running.kill(act.again.signal)
  }
  return hit
}

const lines: Readonly<Record<'ENOSPC' | 'EROFS' | 'delete' | 'release' | 'port', string>> = {
  ENOSPC: 'cat /dev/zero >/run/qemu-tap-hooks/filler; test -s /run/qemu-tap-hooks/filler',
  EROFS: 'mount -o remount,ro /run/qemu-tap-hooks',
  delete: 'ip link del br0',
  release: 'ip -o link show eth0 | grep -q " master br0 " && ip link set eth0 nomaster',
  port:
    'test -n "$(ip -o link show br0)" && ip link add ft0 type veth peer name ft1 && ' +
    'ip link set ft0 up && ip link set ft1 up master br0',
}

/** Over and over until it works (there may be no bridge yet, or a file just being written). */
async function insist(line: string, { scene, ended, release }: Stage): Promise<boolean> {
  while (!ended()) {
    if (await scene.agent.try(line)) {
      const hit = !ended()
      release()
      return hit
    }
    release()
    await delay(2)
  }
  return false
}

/** Does it; whether it came before the command had ended. */
export function perform(act: Act, stage: Stage): Promise<boolean> {
  switch (act.kind) {
    case 'kill':
      return killThem(act.victim, stage)
    case 'stop':
      return stopThem(act, stage)
    case 'signal':
      return signalIt(act, stage)
    case 'disk':
      return insist(lines[act.error], stage)
    case 'rude':
      return insist(lines[act.what], stage)
  }
}

/** What is there before the command is started. */
export const setUp = (fault: Fault, scene: Scene): Promise<boolean> =>
  fault.kind === 'act' && fault.when.at === 'start' && fault.act.kind === 'disk'
    ? scene.agent.try(lines[fault.act.error])
    : Promise.resolve(false)

/** The run directory is as it was, and what a foreign process left is gone. */
export const undoing = [
  'mount -o remount,rw /run/qemu-tap-hooks; rm -f /run/qemu-tap-hooks/filler',
  'for d in lo eth0 eth1 br0; do ip addr flush dev $d to 10.99.0.0/16; ip addr flush dev $d to fd9f::/16; done',
  'ip link del ft0; ip route flush table all root 10.99.0.0/16; ip -6 route flush table all root fd9f::/16',
].join('; ')
