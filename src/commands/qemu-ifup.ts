import type { HookArgs } from '../args.ts'
import { bridgeForTap, loadConfig } from '../config.ts'
import { CommandError, refusal } from '../errors.ts'
import type { Command, Host } from '../host.ts'
import type { Link } from '../state.ts'
import { runDirOf } from '../transaction/run-dir.ts'
import { attachSteps } from './attach.ts'
import { requirePrivilege } from './session.ts'
import { applyHook, linkNamed, quietLinks, requireTap, type Wait } from './tap.ts'

/** How often a tap is attached that what is taken back meanwhile takes off again. */
const rounds = 3

/**
 * Attaches the tap. A brup or brdown that begins meanwhile looks at the ports after it took the lock, and we look
 * at the lock after we attached, and then at the tap: whichever comes first, one of the two sees the other, and what
 * began and ended in between is seen by what it left.
 */
export const qemuIfup: Command<HookArgs> = {
  name: 'qemu-ifup',
  run: async ({ tap }, host) => {
    requirePrivilege('qemu-ifup')
    const wait = { runDir: runDirOf(host.env), bridge: bridgeOf(tap, host), signal: host.signal }
    let links = await quietLinks(wait)
    for (let round = 1; round <= rounds; round += 1) {
      await applyHook(tap, attachSteps(requireTap(links, tap), requireBridge(links, tap, wait.bridge)))
      links = await linksAfter(tap, wait)
      if (linkNamed(links, tap)?.master === wait.bridge) return { text: '', json: {} }
      requireRemaining(links, tap, wait.bridge)
    }
    throw new CommandError('failed', `${tap}: it was taken off ${wait.bridge} meanwhile`, {
      hint: 'try again',
    })
  },
}

const bridgeOf = (tap: string, { env, programName }: Host): string =>
  bridgeForTap(tap, { env, programName, config: loadConfig(undefined, env) })

function requireBridge(links: readonly Link[], tap: string, name: string): Link {
  const bridge = linkNamed(links, name)
  if (bridge === undefined) throw refusal(`${tap}: bridge ${name} does not exist`, 'run brup first')
  if (bridge.kind !== 'bridge')
    throw refusal(`${tap}: ${name} is no bridge`, 'name another in the configuration')
  const master = linkNamed(links, tap)?.master
  if (master !== undefined && master !== name)
    throw refusal(`${tap} is already a port of ${master}`, `take it out first: ip link set ${tap} nomaster`)
  return bridge
}

/** Is the bridge being changed? Waits for the end; where that does not come, the tap is detached again. */
async function linksAfter(tap: string, wait: Wait): Promise<readonly Link[]> {
  try {
    return await quietLinks(wait)
  } catch (error) {
    await applyHook(tap, [{ op: 'link.nomaster', dev: tap }])
    throw error
  }
}

function requireRemaining(links: readonly Link[], tap: string, bridge: string): void {
  if (linkNamed(links, bridge) === undefined)
    throw refusal(`${tap}: bridge ${bridge} was removed meanwhile`, 'run brup first')
  if (linkNamed(links, tap) === undefined) throw new CommandError('failed', `${tap} was removed meanwhile`)
}
