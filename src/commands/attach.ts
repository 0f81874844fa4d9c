import { CommandError, messageOf, refusal } from '../errors.ts'
import { bridgeBatch, withPortEntries } from '../kernel/bridge.ts'
import { showLinks } from '../kernel/observe.ts'
import type { PortWish } from '../names.ts'
import { asksForVlans, differingFlags, entrySteps, flagSteps, newPort, wantedPort } from '../plan/ports.ts'
import type { Link, PortTraits } from '../state.ts'
import { batchLine, bridgeWords, isBridgeStep, isIpStep, type IpStep } from '../step.ts'
import { detachedTaps, forgetDetached } from '../transaction/detached-taps.ts'
import type { Session } from './session.ts'
import { applyHook, linkNamed } from './tap.ts'
import type { Wish } from './wish.ts'

/**
 * Before it goes up: no IPv6 address of its own (in one message with `up` it would still get a tentative one), the
 * bridge's MTU (a smaller one would shrink the bridge), a MAC higher than any real one, so that no bridge
 * ever takes it for its own (br_stp_recalculate_bridge_id()), and how the bridge is to treat it. Refuses (exit 3) what the
 * bridge cannot do.
 */
export async function attach(tap: Link, bridge: Link, wish: PortWish): Promise<void> {
  const { name, mac } = tap
  if (asksForVlans(wish) && bridge.defaultVlan === undefined)
    throw refusal(
      `${name}: ${wish.pvid === undefined ? 'trunk' : 'pvid'} needs a bridge that looks at VLAN tags, and ${bridge.name} does not`,
      `ip link set ${bridge.name} type bridge vlan_filtering 1, where the kernel can`,
    )
  const port = (tap.master === bridge.name ? tap.port : undefined) ?? newPort(bridge)
  const wanted = wantedPort(wish, bridge)
  const joined: readonly IpStep[] = [
    { op: 'link.addrgenmode', dev: name, mode: 'none' },
    { op: 'link.mtu', dev: name, mtu: bridge.mtu },
    { op: 'link.mac', dev: name, mac: `fe${mac.slice(2)}` },
    { op: 'link.master', dev: name, master: bridge.name },
    ...flagSteps(name, port, wanted).filter(isIpStep),
  ]
  const up: IpStep = { op: 'link.up', dev: name }
  const isTold = asksForVlans(wish) || wish.mac !== undefined || !port.learning
  // What a port had before is told only if asked.
  const isAnew = tap.master === bridge.name && bridge.defaultVlan !== undefined
  if (!isTold && !isAnew) {
    await applyHook(name, [...joined, up])
    return
  }
  await applyHook(name, joined)
  await tellBridge(name, wanted)
  await applyHook(name, [up])
}

/** What only `bridge` can say. */
async function tellBridge(tap: string, wanted: PortTraits): Promise<void> {
  const port = await portOf(tap)
  if (port === undefined) return
  const steps = entrySteps(tap, port, wanted)
  const lines = steps.filter(isBridgeStep).map((step) => batchLine(bridgeWords(step)))
  if (lines.length === 0) return
  const { ok, message } = await bridgeBatch(lines)
  if (!ok) throw new CommandError('failed', `${tap}: bridge: ${message}`)
}

const portOf = async (tap: string): Promise<PortTraits | undefined> =>
  linkNamed(await withPortEntries(await showLinks(), true), tap)?.port

/** A kernel that does not know an option passes over it in silence: what it cannot do is refused (exit 3) by name. */
export function requireTreated({ name, port }: Link, wish: PortWish): void {
  if (port === undefined) return
  const [key] = Object.keys(differingFlags(port, wantedPort(wish, { defaultVlan: undefined })))
  if (key !== undefined) throw refusal(`${name}: this kernel does not know ${key} ports`, 'a newer one may')
}

/** The taps that an earlier bridge of this name was taken away from; what does not work is said, and no failure. */
export async function attachAgain(
  { runDir, say }: Session,
  bridge: string,
  { portOf: wishOf }: Pick<Wish, 'portOf'>,
): Promise<void> {
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
        await attach(tap, target, wishOf(tap.name))
        say(`${tap.name} is on ${bridge} again`)
      })
    forgetDetached(runDir, bridge)
  })
}
