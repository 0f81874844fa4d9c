import { sleep } from '../kernel/clock.ts'
import { dhcpClients } from '../kernel/dhcp-clients.ts'
import { networkManager } from '../kernel/network-manager.ts'
import { networkdOf } from '../kernel/networkd.ts'
import { mayChangeNetwork } from '../kernel/privilege.ts'
import { resolvconfRecords } from '../kernel/resolvconf.ts'
import { resolvedLinks } from '../kernel/resolved.ts'
import { isCarrierTold, observe, observeOwn, withFirewall } from '../kernel/observe.ts'
import { awaitsAdvertised } from '../plan/advertised.ts'
import { compare, type Difference } from '../plan/compare.ts'
import { compareFirewall } from '../plan/firewall.ts'
import { devsOf, isMove, nameOf, type Move, type Sides } from '../plan/footprint.ts'
import { findLink, type NetworkState } from '../state.ts'

/**
 * With the settings of the links that a change reads: the two sides, and what a new link starts with. Only guests of a bridge
 * without an uplink are routed.
 */
export const observeSides = async (sides: Sides): Promise<NetworkState> =>
  withFirewall(await observeQuickly(sides), nameOf(sides))

/** The same but for the host's firewall, which nobody else waits for. */
function observeQuickly(sides: Sides): Promise<NetworkState> {
  const links = ['all', 'default', ...devsOf(sides)]
  return isMove(sides) ? withOwners(observe(links), sides) : observeOwn(nameOf(sides), links)
}

/** With those that look after the two sides; not everybody may look at all of them. */
async function withOwners(looking: Promise<NetworkState>, sides: Move): Promise<NetworkState> {
  const { uplink } = sides
  const bridge = nameOf(sides)
  const may = mayChangeNetwork()
  const [state, manager] = await Promise.all([
    looking,
    may ? networkManager(uplink, bridge) : Promise.resolve(undefined),
  ])
  const networkd = networkdOf(state, uplink, bridge)
  if (!may) return { ...state, networkd }
  const links = devsOf(sides).flatMap((dev) => findLink(state, dev) ?? [])
  return {
    ...state,
    clients: dhcpClients(uplink, bridge),
    manager,
    networkd,
    resolved: resolvedLinks(links),
    resolvconf: resolvconfRecords(bridge, state.links),
  }
}

/** Longer than the kernel takes to act on carrier (a second, LW_URGENT aside). A link may be dormant for good (802.1X). */
const linkWatchPatience = 1500

/** The same, once the kernel has acted on what somebody did to the links a moment ago. */
export async function observeQuiet(sides: Sides): Promise<NetworkState> {
  const deadline = performance.now() + linkWatchPatience
  while (!(await isCarrierTold(devsOf(sides))) && performance.now() < deadline) await sleep(20)
  return observeSides(sides)
}

interface Sight {
  readonly state: NetworkState
  readonly differences: readonly Difference[]
}

/**
 * Waits until no IPv6 address of the two sides is tentative. Without duplicate address detection, too, an address
 * is valid only when addrconf_dad_work() has had its turn: a batch is faster.
 */
export async function untilUsable(sides: Sides): Promise<readonly Difference[]> {
  const deadline = performance.now() + patience
  for (;;) {
    const differences = tentativeDifferences(await observe([]), sides)
    if (differences.length === 0 || performance.now() > deadline) return differences
    await sleep(5)
  }
}

/** Without carrier an address stays tentative where duplicates are looked for: at the end nobody waits for that. */
const ofLinksWithCarrier = (state: NetworkState): NetworkState => ({
  ...state,
  addresses: state.addresses.filter(({ dev }) => findLink(state, dev)?.carrier === true),
})

const tentativeDifferences = (state: NetworkState, sides: Sides): readonly Difference[] =>
  state.addresses
    .filter(({ dev, status }) => devsOf(sides).includes(dev) && status.includes('tentative'))
    .map(({ local, dev }) => `different: address ${local} of ${dev} is tentative`)

/**
 * The kernel tells of carrier, and what follows from it, a moment later; duplicate address detection, where an
 * address is added without a switch, takes up to two seconds.
 */
const patience = 4000

/** Looks until the network is as it should be, or long enough; at the host's firewall then. */
export async function settle(goal: NetworkState, sides: Sides, milliseconds = patience): Promise<Sight> {
  const { state, differences } = await settleQuickly(goal, sides, milliseconds)
  if (goal.firewall === undefined) return { state, differences }
  const whole = await withFirewall(state, nameOf(sides))
  return {
    state: whole,
    differences: [...differences, ...compareFirewall(whole.firewall, goal.firewall, sides)],
  }
}

/** The same but for the host's firewall, while the host is between its two sides. */
export async function settleQuickly(
  goal: NetworkState,
  sides: Sides,
  milliseconds = patience,
): Promise<Sight> {
  const deadline = performance.now() + milliseconds
  for (let pause = 5; ; pause = Math.min(pause * 2, 100)) {
    const state = await observeQuickly(sides)
    const differences = [
      ...compare(state, goal, sides),
      ...carrierDifference(state, sides),
      ...tentativeDifferences(ofLinksWithCarrier(state), sides),
    ]
    if (differences.length === 0 || performance.now() > deadline) return { state, differences }
    await sleep(pause)
  }
}

/** A bridge whose port has carrier must have it too: until then its routes are not used. */
function carrierDifference(state: NetworkState, { uplink, bridge }: Sides): readonly Difference[] {
  const port = findLink(state, uplink)
  const master = findLink(state, bridge)
  const waits = port?.master === bridge && port.carrier && master?.carrier === false
  return waits ? [`different: link ${bridge} has no carrier`] : []
}

/** The network when both links have carrier, or have had their time. */
export async function withCarriers(sides: Sides): Promise<NetworkState> {
  const deadline = performance.now() + patience
  for (;;) {
    const state = await observeQuickly(sides)
    const waits = devsOf(sides).some((dev) => findLink(state, dev)?.carrier === false)
    if (!waits || performance.now() > deadline) return withFirewall(state, nameOf(sides))
    await sleep(20)
  }
}

/** How long routers have to answer a solicitation: half a second (RFC 4861, MAX_RA_DELAY_TIME), and then some. */
const routerPatience = 1500

/** The network when routers have advertised again what stop-gaps stand in for, or have had their time. */
export async function advertised(goal: NetworkState, sides: Sides): Promise<NetworkState> {
  const deadline = performance.now() + routerPatience
  for (;;) {
    const state = await observeQuickly(sides)
    if (!awaitsAdvertised(goal, state) || performance.now() > deadline) return state
    await sleep(50)
  }
}
