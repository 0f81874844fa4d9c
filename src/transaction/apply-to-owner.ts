import { CommandError, messageOf } from '../errors.ts'
import { sleep } from '../kernel/clock.ts'
import { expectScripts, startClient, stopClient } from '../kernel/dhcp-clients.ts'
import { ipv6AddressesOf } from '../kernel/if-inet6.ts'
import { bringUp, forgetLink, recallLink, releaseLink, tellManager } from '../kernel/network-manager.ts'
import { placeUnits } from '../kernel/networkd.ts'
import { tellResolvconf } from '../kernel/resolvconf.ts'
import { tellResolved } from '../kernel/resolved.ts'
import type { DhcpClient } from '../owner-state.ts'
import {
  isManagerStep,
  isResolvedStep,
  type ClientStart,
  type ManagerStep,
  type NetworkdStep,
  type OwnerStep,
  type ResolvedStep,
} from '../owner-step.ts'
import type { Step } from '../step.ts'
import type { ApplyOptions } from './apply.ts'

/** Steps for the kernel, as many of them as it takes. */
type PutBack = (steps: readonly Step[]) => Promise<void>

/** Throws where it refuses; `putBack` does what it undid meanwhile. */
export async function applyToOwner(step: OwnerStep, options: ApplyOptions, putBack: PutBack): Promise<void> {
  if (step.op === 'client.start') await applyClient(step, options)
  else if (step.op === 'client.stop') await endClient(step.client, options)
  else if (step.op === 'networkd.units') await applyUnits(step, options)
  else if (isResolvedStep(step)) await applyResolved(step, options)
  else if (isManagerStep(step)) await applyManager(step, options, putBack)
  else await tellResolvconf(step, options.onSpawn)
}

async function applyClient(step: ClientStart, { force }: ApplyOptions): Promise<void> {
  try {
    await startClient(step)
  } catch (error) {
    if (force !== true) throw new CommandError('failed', `${step.client.name}: ${messageOf(error)}`)
  }
}

async function endClient(client: DhcpClient, { force }: ApplyOptions): Promise<void> {
  try {
    // Should the rest of the way be barred it is begun again by these.
    expectScripts(client)
  } catch (error) {
    if (force !== true) throw new CommandError('failed', `${client.name}: ${messageOf(error)}`)
  }
  await stopClient(client)
}

async function applyUnits(step: NetworkdStep, { onSpawn, force, onUntold }: ApplyOptions): Promise<void> {
  try {
    await placeUnits(step, onSpawn)
  } catch (error) {
    if (force !== true) throw new CommandError('failed', `systemd-networkd: ${messageOf(error)}`)
    onUntold?.(messageOf(error))
  }
}

async function applyManager(
  step: ManagerStep,
  { onSpawn, force, onUntold }: ApplyOptions,
  putBack: PutBack,
): Promise<void> {
  try {
    if (step.op === 'nm.tell') await tellManager(step.bridge, step.text, onSpawn)
    else if (step.op === 'nm.release') await releaseLink(step.dev, step.to, onSpawn)
    else if (step.op === 'nm.forget') await forgetLink(step.dev, step.to, onSpawn)
    else if (step.op === 'nm.recall') recallLink(step.index, step.to)
    else await applyUp(step, onSpawn, putBack)
  } catch (error) {
    if (force !== true) throw error
    onUntold?.(messageOf(error))
  }
}

/** In milliseconds. */
const glance = 2

/** While NetworkManager has the link again, what it takes off there comes back at once. */
async function applyUp(
  { dev, to, anew }: Extract<ManagerStep, { op: 'nm.up' }>,
  onSpawn: ApplyOptions['onSpawn'],
  putBack: PutBack,
): Promise<void> {
  const wanted = anew.flatMap((step) => (step.op === 'addr.add' ? [step.address.local] : []))
  let isUp = false
  const keep = async (): Promise<void> => {
    while (!isUp) {
      const present = ipv6AddressesOf(dev)
      if (!wanted.every((local) => present.has(local))) await putBack(anew)
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
