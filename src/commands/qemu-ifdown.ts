import type { HookArgs } from '../args.ts'
import type { Command } from '../host.ts'
import { showLinks } from '../kernel/observe.ts'
import type { IpStep } from '../step.ts'
import { requirePrivilege } from './session.ts'
import { applyHook, linkNamed, requireTap } from './tap.ts'

/** Detaches the tap from whatever bridge it is on. One that is gone already, or never joined, is fine. */
export const qemuIfdown: Command<HookArgs> = {
  name: 'qemu-ifdown',
  run: async ({ tap }) => {
    const links = await showLinks()
    if (linkNamed(links, tap) === undefined) return { text: '', json: {} }
    requirePrivilege('qemu-ifdown')
    const { master } = requireTap(links, tap)
    const leave: readonly IpStep[] = master === undefined ? [] : [{ op: 'link.nomaster', dev: tap }]
    await applyHook(tap, [...leave, { op: 'link.down', dev: tap }])
    return { text: '', json: {} }
  },
}
