import { messageOf } from '../errors.ts'
import { showLinks } from '../kernel/observe.ts'
import type { Link } from '../state.ts'
import type { IpStep } from '../step.ts'
import { detachedTaps, forgetDetached } from '../transaction/detached-taps.ts'
import type { Session } from './session.ts'
import { applyHook, linkNamed } from './tap.ts'

/**
 * Before it goes up: no IPv6 address of its own (in one message with `up` it would still get a tentative one), the
 * bridge's MTU (a smaller one would shrink the bridge), and a MAC higher than any real one, so that no bridge
 * ever takes it for its own (br_stp_recalculate_bridge_id()).
 */
export const attachSteps = ({ name, mac }: Link, bridge: Link): readonly IpStep[] => [
  { op: 'link.addrgenmode', dev: name, mode: 'none' },
  { op: 'link.mtu', dev: name, mtu: bridge.mtu },
  { op: 'link.mac', dev: name, mac: `fe${mac.slice(2)}` },
  { op: 'link.master', dev: name, master: bridge.name },
  { op: 'link.up', dev: name },
]

/** The taps that an earlier bridge of this name was taken away from; what does not work is said, and no failure. */
export async function attachAgain({ runDir, say }: Session, bridge: string): Promise<void> {
  const attempt = async (what: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      say(`${what} could not be attached again: ${messageOf(error)}`)
    }
  }
  await attempt(`the taps of an earlier ${bridge}`, async () => {
    const links = await showLinks()
    const target = linkNamed(links, bridge)
    if (target === undefined) return
    for (const tap of detachedTaps(runDir, bridge, links))
      await attempt(tap.name, async () => {
        await applyHook(tap.name, attachSteps(tap, target))
        say(`${tap.name} is on ${bridge} again`)
      })
    forgetDetached(runDir, bridge)
  })
}
