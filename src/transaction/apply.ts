import { CommandError, messageOf } from '../errors.ts'
import { bootSeconds, sleep } from '../kernel/clock.ts'
import { startClient, stopClient } from '../kernel/dhcp-clients.ts'
import { startDnsmasq, stopDnsmasq } from '../kernel/dnsmasq.ts'
import { bridgeBatch } from '../kernel/bridge.ts'
import { loadRules } from '../kernel/firewall.ts'
import { joinZone, leaveZone } from '../kernel/firewalld.ts'
import { ipv6AddressesOf } from '../kernel/if-inet6.ts'
import { ipBatch } from '../kernel/ip.ts'
import { tellManager, releaseLink, forgetLink, bringUp } from '../kernel/network-manager.ts'
import { placeUnits } from '../kernel/networkd.ts'
import { nftLoad } from '../kernel/nft.ts'
import type { ProcessId } from '../kernel/process.ts'
import { tellResolvconf } from '../kernel/resolvconf.ts'
import { tellResolved } from '../kernel/resolved.ts'
import { writeSysctl } from '../kernel/sysctl.ts'
import type { Sysctl } from '../state.ts'
import {
  batchLine,
  bridgeWords,
  ipOptions,
  ipWords,
  isBridgeStep,
  isIpStep,
  isManagerStep,
  isResolvedStep,
  sysctlPath,
  type BridgeStep,
  type IpStep,
  type ManagerStep,
  type NetworkdStep,
  type ResolvedStep,
  type Step,
} from '../step.ts'
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
      else if (step.op === 'client.start') await applyClient(step, options)
      else if (step.op === 'client.stop') await stopClient(step.client)
      else if (step.op === 'networkd.units') await applyUnits(step, options)
      else if (isResolvedStep(step)) await applyResolved(step, options)
      else if (step.op === 'resolvconf.add' || step.op === 'resolvconf.del')
        await tellResolvconf(step, options.onSpawn)
      else if (step.op === 'firewall.load') await applyRules(step, options)
      else if (isManagerStep(step)) await applyManager(step, options)
      else if (step.op === 'zone.join' || step.op === 'zone.leave') await applyZone(step, options)
  }
}

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

async function applyClient(
  step: Extract<Step, { op: 'client.start' }>,
  { force }: ApplyOptions,
): Promise<void> {
  try {
    await startClient(step)
  } catch (error) {
    if (force !== true) throw new CommandError('failed', `${step.client.name}: ${messageOf(error)}`)
  }
}

async function applyUnits(step: NetworkdStep, { onSpawn, force, onUntold }: ApplyOptions): Promise<void> {
  try {
    await placeUnits(step, onSpawn)
  } catch (error) {
    if (force !== true) throw new CommandError('failed', `systemd-networkd: ${messageOf(error)}`)
    onUntold?.(messageOf(error))
  }
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

async function applyManager(step: ManagerStep, options: ApplyOptions): Promise<void> {
  const { onSpawn, force, onUntold } = options
  try {
    if (step.op === 'nm.tell') await tellManager(step.bridge, step.text, onSpawn)
    else if (step.op === 'nm.release') await releaseLink(step.dev, step.to, onSpawn)
    else if (step.op === 'nm.forget') await forgetLink(step.dev, step.to, onSpawn)
    else await applyUp(step, options)
  } catch (error) {
    if (force !== true) throw error
    onUntold?.(messageOf(error))
  }
}

/** In milliseconds. */
const glance = 2

/** While NetworkManager has the link again, what it takes off there comes back at once. */
async function applyUp(
  { dev, to, anew }: Extract<Step, { op: 'nm.up' }>,
  { onSpawn }: ApplyOptions,
): Promise<void> {
  const wanted = anew.flatMap((step) => (step.op === 'addr.add' ? [step.address.local] : []))
  let isUp = false
  const keep = async (): Promise<void> => {
    while (!isUp) {
      const present = ipv6AddressesOf(dev)
      // The child in the journal is the one that NetworkManager is told by; these end by themselves.
      if (!wanted.every((local) => present.has(local)))
        await applySteps(anew, { onSpawn: () => undefined, signal: undefined, force: true })
      await sleep(glance)
    }
  }
  const up = bringUp(dev, to, onSpawn).finally(() => {
    isUp = true
  })
  const [result] = await Promise.allSettled([up, keep()])
  if (result.status === 'rejected') throw result.reason
}

async function applyResolved(step: ResolvedStep, { onSpawn, force }: ApplyOptions): Promise<void> {
  try {
    await tellResolved(step, onSpawn)
  } catch (error) {
    if (force !== true) throw error
  }
}

async function applyNft(text: string, { onSpawn, force }: ApplyOptions): Promise<void> {
  const { ok, message } = await nftLoad(text, onSpawn)
  if (!ok && force !== true) throw new CommandError('failed', `nft: ${message}`)
}
