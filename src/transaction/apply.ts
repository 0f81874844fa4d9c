import { CommandError, messageOf } from '../errors.ts'
import { bootSeconds } from '../kernel/clock.ts'
import { startDnsmasq, stopDnsmasq } from '../kernel/dnsmasq.ts'
import { bridgeBatch } from '../kernel/bridge.ts'
import { loadRules } from '../kernel/firewall.ts'
import { joinZone, leaveZone } from '../kernel/firewalld.ts'
import { ipBatch } from '../kernel/ip.ts'
import { nftLoad } from '../kernel/nft.ts'
import type { ProcessId } from '../kernel/process.ts'
import { writeSysctl } from '../kernel/sysctl.ts'
import type { Sysctl } from '../state.ts'
import { isOwnerStep } from '../owner-step.ts'
import {
  batchLine,
  bridgeWords,
  ipOptions,
  ipWords,
  isBridgeStep,
  isIpStep,
  sysctlPath,
  type BridgeStep,
  type IpStep,
  type Step,
} from '../step.ts'
import { applyToOwner } from './apply-to-owner.ts'
import { throwIfInterrupted } from './interrupt.ts'

export interface ApplyOptions {
  /** Told each `ip` and `nft` before it is fed. */
  readonly onSpawn: (child: ProcessId) => void
  /** Looked at between the parts; `undefined` where nothing may interrupt (rollback). */
  readonly signal: AbortSignal | undefined
  /** Go on after a step that is refused: for the last attempt of a rollback. */
  readonly force?: boolean
  /** Told by `force` of what a manager was not told, and may act upon later: nothing of the network shows it. */
  readonly onUntold?: (message: string) => void
  readonly onSteps?: (steps: readonly Step[]) => void
}

const batchSeconds = 30

/** The only place with effects. Throws at the first step that is refused. */
export async function applySteps(steps: readonly Step[], options: ApplyOptions): Promise<void> {
  for (const part of partsOf(steps)) {
    throwIfInterrupted(options.signal)
    options.onSteps?.(part)
    const ipSteps = part.filter(isIpStep)
    if (ipSteps.length > 0) await applyBatch(ipSteps, options)
    const bridgeSteps = part.filter(isBridgeStep)
    if (bridgeSteps.length > 0) await applyToPorts(bridgeSteps, options)
    for (const step of part)
      if (step.op === 'nft.load') await applyNft(step.text, options)
      else if (step.op === 'sysctl.set') applySysctl(step.sysctl, options)
      else if (step.op === 'dnsmasq.start') await applyDnsmasq(step, options)
      else if (step.op === 'dnsmasq.stop') await stopDnsmasq(step.bridge)
      else if (isOwnerStep(step)) await applyToOwner(step, options, putBack)
      else if (step.op === 'firewall.load') await applyRules(step, options)
      else if (step.op === 'zone.join' || step.op === 'zone.leave') await applyZone(step, options)
  }
}

/** The child in the journal is the one that an owner is told by; those of this end by themselves. */
const putBack = (steps: readonly Step[]): Promise<void> =>
  applySteps(steps, { onSpawn: () => undefined, signal: undefined, force: true })

/** What runs as one: consecutive lines for `ip` with the same options share a batch, and so do those for `bridge`. */
function kindOf(step: Step): string {
  if (isIpStep(step)) return `ip ${ipOptions(step).join(' ')}`
  return isBridgeStep(step) ? 'bridge' : step.op
}

function partsOf(steps: readonly Step[]): readonly (readonly Step[])[] {
  const parts: Step[][] = []
  for (const step of steps) {
    const last = parts.at(-1)
    const [first] = last ?? []
    if (last !== undefined && first !== undefined && kindOf(first) === kindOf(step)) last.push(step)
    else parts.push([step])
  }
  return parts
}

async function applyBatch(steps: readonly IpStep[], { onSpawn, force }: ApplyOptions): Promise<void> {
  const now = bootSeconds()
  const lines = steps.map((step) => batchLine(ipWords(step, now)))
  const options = steps[0] === undefined ? [] : ipOptions(steps[0])
  const result = await ipBatch([...options, ...(force === true ? ['-force'] : [])], {
    lines,
    seconds: batchSeconds,
    onSpawn,
  })
  if (result.ok || force === true) return
  const at = result.failedLine === undefined ? undefined : lines[result.failedLine - 1]
  throw new CommandError('failed', `${at === undefined ? 'ip' : `ip ${at}`}: ${result.message}`)
}

async function applyToPorts(
  steps: readonly BridgeStep[],
  { onSpawn, force = false }: ApplyOptions,
): Promise<void> {
  const lines = steps.map((step) => batchLine(bridgeWords(step)))
  const { ok, message } = await bridgeBatch(lines, { isForced: force, onSpawn })
  if (!ok && !force) throw new CommandError('failed', `bridge: ${message}`)
}

function applySysctl(sysctl: Sysctl, { force }: ApplyOptions): void {
  try {
    writeSysctl(sysctl)
  } catch (error) {
    if (force !== true) throw new CommandError('failed', `${sysctlPath(sysctl)}: ${messageOf(error)}`)
  }
}

async function applyDnsmasq(
  { bridge, words }: Extract<Step, { op: 'dnsmasq.start' }>,
  { onSpawn, force }: ApplyOptions,
): Promise<void> {
  const { ok, message } = await startDnsmasq(bridge, words, onSpawn)
  if (!ok && force !== true) throw new CommandError('failed', message)
}

async function applyRules(
  { tool, lines }: Extract<Step, { op: 'firewall.load' }>,
  { onSpawn, force }: ApplyOptions,
): Promise<void> {
  const { ok, message } = await loadRules(tool, lines, onSpawn)
  if (!ok && force !== true) throw new CommandError('failed', `${tool}: ${message}`)
}

async function applyZone(
  step: Extract<Step, { op: 'zone.join' | 'zone.leave' }>,
  { onSpawn, force }: ApplyOptions,
): Promise<void> {
  try {
    await (step.op === 'zone.join' ? joinZone(step, onSpawn) : leaveZone(step, onSpawn))
  } catch (error) {
    if (force !== true) throw error
  }
}

async function applyNft(text: string, { onSpawn, force }: ApplyOptions): Promise<void> {
  const { ok, message } = await nftLoad(text, onSpawn)
  if (!ok && force !== true) throw new CommandError('failed', `nft: ${message}`)
}
