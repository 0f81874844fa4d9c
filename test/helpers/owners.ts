import type { Lab } from '../lab/lab.ts'
import { clients, inLeasedLab, type Scene } from './dhcp-host.ts'
import type { Leases } from './managers.ts'
import { activeOn, inManagedLab as inNmLab, profiles, uuid } from './network-manager.ts'
import { files, inManagedLab as inNetworkdLab, isConfigured } from './networkd-host.ts'

/** Hosts whose uplink somebody looks after, by who that is. */

export interface Owner {
  readonly open: (leases: Leases, work: (scene: Scene) => Promise<void>) => Promise<void>
  /** Whether it has the uplink as it had it before. */
  readonly isBack: (lab: Lab) => Promise<boolean>
  readonly isLeased: boolean
}

const always = (): Promise<boolean> => Promise.resolve(true)

const withClients = Object.entries(clients).map(([name, { words }]): [string, Owner] => [
  name,
  { open: (leases, work) => inLeasedLab(words, leases, work), isBack: always, isLeased: true },
])

const withNetworkd = Object.entries(files).map(([name, text]): [string, Owner] => [
  `networkd, ${name}`,
  {
    open: (leases, work) => inNetworkdLab(text, work, leases),
    isBack: (lab) => isConfigured(lab, 'eth0'),
    isLeased: name === 'a lease',
  },
])

const withNetworkManager = Object.entries(profiles).map(([name, profile]): [string, Owner] => [
  `NetworkManager, ${name}`,
  {
    open: (leases, work) => inNmLab({ profile, leases: { ...leases, isAdvertising: true } }, work),
    isBack: async (lab) => (await activeOn(lab, 'eth0')) === uuid,
    isLeased: name !== 'static addresses',
  },
])

export const owners: readonly (readonly [string, Owner])[] = [
  ...withClients,
  ...withNetworkd,
  ...withNetworkManager,
]
