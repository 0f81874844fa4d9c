import { unitFolder } from '../networkd-files.ts'
import type { Networkd } from '../owner-state.ts'
import { findLink, type Address, type NetworkState } from '../state.ts'
import { addressId } from './addresses.ts'
import type { Difference } from './compare.ts'
import { isNetworkds, isSameFile } from './networkd.ts'
import { prefixRoutes, routeId } from './routes.ts'

export function compareNetworkd(actual: NetworkState, goal: NetworkState): readonly Difference[] {
  const { networkd: is } = actual
  const { networkd: be } = goal
  if (is === undefined || be === undefined) return []
  const units = [
    ...be.units.flatMap((unit) => {
      const found = is.units.find(({ name }) => name === unit.name)
      if (found === undefined) return [`missing: ${unitFolder}/${unit.name}`]
      return found.text === unit.text ? [] : [`different: ${unitFolder}/${unit.name}`]
    }),
    ...is.units.flatMap(({ name }) =>
      be.units.some((unit) => unit.name === name) ? [] : [`too much: ${unitFolder}/${name}`],
    ),
  ]
  return is.running ? [...units, ...compareManaged(is, be, goal)] : units
}

function compareManaged(is: Networkd, be: Networkd, goal: NetworkState): readonly Difference[] {
  const wanted = be.managed.filter(({ dev }) => findLink(goal, dev))
  return [
    ...wanted.flatMap(({ dev, file }) => {
      const found = is.managed.find((link) => link.dev === dev)
      if (found === undefined) return [`missing: ${dev} is not managed by systemd-networkd`]
      return isSameFile(found.file, file)
        ? []
        : [`different: systemd-networkd manages ${dev} by ${found.file}`]
    }),
    ...is.managed.flatMap(({ dev }) =>
      be.managed.some((link) => link.dev === dev) || !findLink(goal, dev)
        ? []
        : [`too much: ${dev} is managed by systemd-networkd`],
    ),
  ]
}

/**
 * As if networkd said of what both have nothing but what the goal does: it gives leases on the bridge for ever, and (252) puts the prefix
 * route of an address that it finds elsewhere.
 */
export function asManaged(actual: NetworkState, goal: NetworkState): NetworkState {
  const isManaged = (dev: string): boolean => [actual, goal].every((state) => isNetworkds(state, dev))
  const wanted = new Map(
    goal.addresses.filter(({ dev }) => isManaged(dev)).map((address) => [addressId(address), address]),
  )
  const pairs = actual.addresses.flatMap((address) => {
    const found = wanted.get(addressId(address))
    return found === undefined ? [] : [[address, { ...address, ...livesOf(found) }] as const]
  })
  if (pairs.length === 0) return actual
  const others = new Map(pairs)
  const routes = new Map(
    pairs.flatMap(([is, be]) => {
      const become = prefixRoutes(be)
      return prefixRoutes(is).map((route, i) => [routeId(route), become[i]] as const)
    }),
  )
  return {
    ...actual,
    addresses: actual.addresses.map((address) => others.get(address) ?? address),
    routes: actual.routes.map((route) => routes.get(routeId(route)) ?? route),
  }
}

const livesOf = ({
  metric,
  validUntil,
  preferredUntil,
}: Address): Pick<Address, 'metric' | 'validUntil' | 'preferredUntil'> => ({
  metric,
  validUntil,
  preferredUntil,
})
