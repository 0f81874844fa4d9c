import type { HookArgs } from '../args.ts'
import type { Command } from '../host.ts'
import { showLinks } from '../kernel/observe.ts'
import type { IpStep } from '../step.ts'
import { isLockHeld } from '../transaction/holder.ts'
import { runDirOf } from '../transaction/run-dir.ts'
import { requirePrivilege } from './session.ts'
import { applyHook, linkNamed, quietLinks, requireTap } from './tap.ts'

/**
 * Detaches the tap from whatever bridge it is on. One that is gone already, or never joined, is fine. A brdown that is
 * taken back meanwhile may put the tap where it was: so it is down before it leaves, which says that it went by
 * itself (rebase), and what came too late for that is undone.
 */
export const qemuIfdown: Command<HookArgs> = {
  name: 'qemu-ifdown',
  run: async ({ tap }, { env, signal }) => {
    const links = await showLinks()
    if (linkNamed(links, tap) === undefined) return { text: '', json: {} }
    requirePrivilege('qemu-ifdown')
    const { master } = requireTap(links, tap)
    const leave: readonly IpStep[] = master === undefined ? [] : [{ op: 'link.nomaster', dev: tap }]
    await applyHook(tap, [{ op: 'link.down', dev: tap }, ...leave])
    const wait = { runDir: runDirOf(env), bridge: master ?? '', signal }
    if (isLockHeld(wait.runDir) && linkNamed(await quietLinks(wait), tap)?.master !== undefined)
      await applyHook(tap, [{ op: 'link.nomaster', dev: tap }])
    return { text: '', json: {} }
  },
}
