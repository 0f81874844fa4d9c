import { dhcpServer, networkd, type Leases } from './managers.ts'
import { inLab, until } from './tap.ts'
import type { Lab } from '../lab/lab.ts'
import type { Running } from '../lab/start.ts'

/** A host whose uplink systemd-networkd manages. */

export const eth0 = '[Match]\nName=eth0\n\n[Network]\n'
/** What it may be told. */
export const files = {
  'a lease': `${eth0}DHCP=ipv4\n`,
  'static addresses': `${eth0}Address=192.168.1.50/24\nAddress=fd01::50/64\nGateway=192.168.1.1\nGateway=fd01::1\nIPv6AcceptRA=no\n`,
} as const

export interface Scene {
  readonly lab: Lab
  readonly server: Running
  readonly daemon: Running
}

/** What it says of a link. */
export const says = async (lab: Lab, dev: string): Promise<string> =>
  lab.ok('host', ['sh', '-c', `cat /run/systemd/netif/links/$(ip -o link show ${dev} | cut -d: -f1)`])

export const isConfigured = async (lab: Lab, dev: string): Promise<boolean> =>
  /^ADMIN_STATE=configured$/m.test(await says(lab, dev))

export async function inManagedLab(
  text: string,
  work: (scene: Scene) => Promise<void>,
  leases: Leases = { time: '2m', renewal: 5 },
): Promise<void> {
  await inLab(
    async (lab) => {
      await lab.ip('host', ['link set eth0 up'])
      const server = await dhcpServer(lab, leases)
      const daemon = await networkd(lab, { '10-eth0.network': text })
      await until('networkd is done', () => isConfigured(lab, 'eth0'), 30)
      await work({ lab, server, daemon })
    },
    { bare: true },
  )
}

/** What is ours under the folder that networkd reads. */
export const units = async (lab: Lab): Promise<readonly string[]> =>
  (await lab.ok('host', ['find', '/run/systemd/network', '-name', '*qemu-tap-hooks*', '-printf', '%P\n']))
    .split('\n')
    .filter((line) => line !== '')
    .sort()
