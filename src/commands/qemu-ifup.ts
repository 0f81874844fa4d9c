import type { HookArgs } from '../args.ts'
import { bridgeForTap, loadConfig, portWishFor } from '../config.ts'
import { CommandError, refusal } from '../errors.ts'
import type { Command, Host } from '../host.ts'
import { showLinks } from '../kernel/observe.ts'
import type { PortWish } from '../names.ts'
import type { Link } from '../state.ts'
import { runDirOf } from '../transaction/run-dir.ts'
import { attach, requireTreated } from './attach.ts'
import { requirePrivilege } from './session.ts'
import { applyHook, linkNamed, quietLinks, requireTap } from './tap.ts'

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
    const { bridge, wish } = wishFor(tap, host)
    const wait = { runDir: runDirOf(host.env), bridge, signal: host.signal }
    let links = await quietLinks(wait)
    for (let round = 1; round <= rounds; round += 1) {
      const [link, master] = [requireTap(links, tap), requireBridge(links, tap, bridge)]
      // One that was there before is of use as it is.
      if (link.master === bridge) await attach(link, master, wish)
      else await orDetached(tap, () => attach(link, master, wish))
      links = await orDetached(tap, () => quietLinks(wait))
      const port = linkNamed(links, tap)
      if (port?.master === bridge) {
        await orDetached(tap, () => {
          requireTreated(port, wish)
        })
        return { text: '', json: {} }
      }
      requireRemaining(links, tap, bridge)
    }
    throw new CommandError('failed', `${tap}: it was taken off ${bridge} meanwhile`, {
      hint: 'try again',
    })
  },
}

function wishFor(
  tap: string,
  { env, programName }: Host,
): { readonly bridge: string; readonly wish: PortWish } {
  const config = loadConfig(undefined, env)
  const bridge = bridgeForTap(tap, { env, programName, config })
  return { bridge, wish: portWishFor(tap, bridge, config) }
}

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

/** Where that fails, the tap is detached again. */
async function orDetached<T>(tap: string, work: () => Promise<T> | T): Promise<T> {
  try {
    return await work()
  } catch (error) {
    await detach(tap)
    throw error
  }
}

/** A tap that is gone needs nothing more. */
async function detach(tap: string): Promise<void> {
  try {
    await applyHook(tap, [{ op: 'link.nomaster', dev: tap }])
  } catch (error) {
    if (linkNamed(await showLinks(), tap)?.master !== undefined) throw error
  }
}

function requireRemaining(links: readonly Link[], tap: string, bridge: string): void {
  if (linkNamed(links, bridge) === undefined)
    throw refusal(`${tap}: bridge ${bridge} was removed meanwhile`, 'run brup first')
  if (linkNamed(links, tap) === undefined) throw new CommandError('failed', `${tap} was removed meanwhile`)
}
