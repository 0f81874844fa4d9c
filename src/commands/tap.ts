import { CommandError, refusal } from '../errors.ts'
import { sleep } from '../kernel/clock.ts'
import { ipBatch } from '../kernel/ip.ts'
import { showLinks } from '../kernel/observe.ts'
import { readMark } from '../plan/marks.ts'
import { findLink, type Link } from '../state.ts'
import { batchLine, ipWords, type IpStep } from '../step.ts'
import { isLockHeld } from '../transaction/holder.ts'
import { throwIfInterrupted } from '../transaction/interrupt.ts'

/** What the two hooks share. They take no lock: a hundred guests may start at once. */

/** How long a hook waits for a brup or brdown under way, in milliseconds. */
const patience = 30_000
/** Between two looks. */
const [firstPause, lastPause] = [20, 160]
const batchSeconds = 10

export interface Wait {
  readonly runDir: string
  readonly bridge: string
  readonly signal: AbortSignal
}

/**
 * The links when no change of bridges is under way. Throws (exit 5) when one does not end in time. The lock is looked
 * at before the links, and costs nothing: hundreds of waiting hooks must not take the machine from whom they wait for.
 */
export async function quietLinks({ runDir, bridge, signal }: Wait): Promise<readonly Link[]> {
  const deadline = performance.now() + patience
  for (let pause = firstPause; ; pause = Math.min(pause * 2, lastPause)) {
    const links = isLockHeld(runDir) ? undefined : await showLinks()
    const mark = readMark(links?.find(({ name }) => name === bridge))
    if (links !== undefined && mark?.pending !== true) return links
    throwIfInterrupted(signal)
    if (performance.now() > deadline)
      throw new CommandError('locked', `${bridge} is being changed, and that does not end`, {
        hint: `see brstatus ${bridge}`,
      })
    await sleep(pause)
  }
}

/** Runs the steps in one `ip -batch`. Throws exit 1 with what the kernel said. */
export async function applyHook(tap: string, steps: readonly IpStep[]): Promise<void> {
  const lines = steps.map((step) => batchLine(ipWords(step, 0)))
  const result = await ipBatch([], { lines, seconds: batchSeconds })
  if (!result.ok) throw new CommandError('failed', `${tap}: ${result.message}`)
}

/** The tap among the links. Throws (exit 3) where it is none; netlink says so, /sys may be another namespace's. */
export function requireTap(links: readonly Link[], tap: string): Link {
  const link = links.find(({ name }) => name === tap)
  if (link === undefined) throw refusal(`${tap}: there is no such link`, 'QEMU makes it; give its name')
  if (link.kind !== 'tun' || link.tunType !== 'tap')
    throw refusal(`${tap} is no tap`, 'only a tap joins a bridge here')
  return link
}

export const linkNamed = (links: readonly Link[], name: string): Link | undefined => findLink({ links }, name)
