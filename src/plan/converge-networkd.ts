import type { ManagedLink, Unit } from '../owner-state.ts'
import { findLink, type Address, type NetworkState } from '../state.ts'
import type { NetworkdStep } from '../owner-step.ts'
import type { Step } from '../step.ts'
import { dropInName, isDropIn, unitHead } from '../networkd-files.ts'
import { isMove, type Move, type Sides } from './footprint.ts'
import { isSameFile } from './networkd.ts'
import { isOnDev, prefixRoutes, routeId } from './routes.ts'

const sameUnit = (a: Unit, b: Unit): boolean => a.name === b.name && a.text === b.text

/**
 * Behind all else on both ways: networkd takes off a link that it lets go what it gave it, and so the uplink must be empty by then;
 * and when it takes one, what it does not find in its files.
 */
export function convergeNetworkd(from: NetworkState, to: NetworkState, sides: Sides): readonly Step[] {
  const { networkd: was } = from
  const { networkd: be } = to
  if (was === undefined || be === undefined || !isMove(sides)) return []
  const put = be.units.filter((unit) => !was.units.some((other) => sameUnit(unit, other)))
  const remove = was.units.flatMap(({ name }) => (be.units.some((unit) => unit.name === name) ? [] : [name]))
  const has = ({ dev, file }: ManagedLink): boolean =>
    was.managed.some((link) => link.dev === dev && isSameFile(link.file, file))
  const awaits = was.running ? be.managed.filter((link) => findLink(to, link.dev) && !has(link)) : []
  const released = was.managed
    .map(({ dev }) => dev)
    .filter((dev) => findLink(to, dev) && !be.managed.some((link) => link.dev === dev))
  if (put.length + remove.length + awaits.length + released.length === 0) return []
  const adopted = awaits.find(({ dev }) => dev === sides.uplink)
  const reload =
    was.running &&
    put.length + awaits.length + released.length + remove.filter((name) => !isDropIn(name)).length > 0
  const step: NetworkdStep = {
    op: 'networkd.units',
    put,
    remove,
    passing: adopted === undefined ? [] : [dropIn(adopted, to, sides)],
    reload,
    awaits,
    released,
  }
  return [...(adopted === undefined ? [] : announced(to, sides)), step]
}

/**
 * systemd-networkd 252 forgets a link that leaves a bridge, with all that is on it (it takes RTM_DELLINK of PF_BRIDGE for that of the
 * link). Then it waits for ever for the link-local address, and for the subnets of gateways that it is told: a change tells it of them.
 */
function announced(to: NetworkState, { uplink }: Move): readonly Step[] {
  const addresses = to.addresses.filter((address) => address.dev === uplink && !isLeased(address, to))
  return addresses.flatMap((address): readonly Step[] => {
    const change = { op: 'addr.change', address } as const
    if (address.scope === 'link' && address.family === 6) return [change]
    const made = new Set(prefixRoutes(address).map(routeId))
    const found = to.routes.filter((route) => made.has(routeId(route)))
    if (address.family === 6) return found.map((route) => ({ op: 'route.replace', route }))
    const metric = (address.metric ?? 0) + 1
    return found.length === 0 ? [] : [{ ...change, address: { ...address, metric } }, change]
  })
}

/**
 * What is on a link that networkd takes goes, unless it is to stay. `yes` keeps everything, and gives leases for ever; so where there is
 * one, its address is named instead.
 */
function dropIn({ file }: ManagedLink, to: NetworkState, { uplink, bridge }: Move): Unit {
  const leased = to.addresses.filter((address) => address.dev === uplink && isLeased(address, to))
  const isForeign = ({ protocol }: { protocol: string }): boolean =>
    !['kernel', 'dhcp', 'ra', 'static'].includes(protocol)
  const isPlain = !to.routes.some((route) => isOnDev(route, [uplink]) && isForeign(route))
  const text =
    leased.length > 0 && isPlain
      ? `[Network]\nKeepConfiguration=static\n${leased.map(addressSection).join('')}`
      : '[Network]\nKeepConfiguration=yes\n'
  return { name: dropInName(file, bridge), text: unitHead + text }
}

const isLeased = ({ local, validUntil, scope }: Address, { routes }: NetworkState): boolean =>
  scope !== 'link' &&
  (validUntil !== undefined || routes.some(({ protocol, source }) => protocol === 'dhcp' && source === local))

const addressSection = ({ local, prefixLength, broadcast, metric }: Address): string =>
  [
    '[Address]',
    `Address=${local}/${prefixLength}`,
    ...(broadcast === undefined ? [] : [`Broadcast=${broadcast}`]),
    ...(metric === undefined ? [] : [`RouteMetric=${metric}`]),
    '',
  ].join('\n')
