import { dhcpClient, dhcpServer, type Leases } from './managers.ts'
import { inLab, until } from './tap.ts'
import { processesLike } from './watchdog.ts'
import type { Lab } from '../lab/lab.ts'
import type { Running } from '../lab/start.ts'

/** A host that has its address from a DHCP client alone. */

// What a distribution's script for udhcpc does.
const udhcpcScript = `#!/bin/sh
case $1 in
  deconfig) ip -4 addr flush dev $interface ;;
  bound | renew)
    ip -4 addr replace $ip/$mask dev $interface valid_lft $lease preferred_lft $lease
    ip route replace default via $router dev $interface
    ;;
esac
`
const script = '/var/lib/udhcpc-script'

/** How each is started, and as what it shows in `/proc`. */
export const clients = {
  dhclient: {
    words: [
      'dhclient',
      '-4',
      '-1',
      '-pf',
      '/run/dhclient.eth0.pid',
      '-lf',
      '/var/lib/dhcp/dhclient.eth0.leases',
      'eth0',
    ],
    pattern: '/*dhclient *',
  },
  dhcpcd: { words: ['dhcpcd', '-4', 'eth0'], pattern: 'dhcpcd: [a-z]* [[]ip4[]]*' },
  udhcpc: { words: ['udhcpc', '-b', '-i', 'eth0', '-s', script], pattern: '/*udhcpc *' },
} as const

export interface Scene {
  readonly lab: Lab
  readonly server: Running
}

export async function inLeasedLab(
  words: readonly string[],
  leases: Leases,
  work: (scene: Scene) => Promise<void>,
): Promise<void> {
  await inLab(
    async (lab) => {
      await lab.ok('host', ['tee', script], { input: udhcpcScript })
      await lab.ok('host', ['chmod', '+x', script])
      await lab.ip('host', ['link set eth0 up'])
      await until('the link-local address is no longer tentative', async () => {
        const text = await lab.ok('host', ['ip', '-6', 'addr', 'show', 'dev', 'eth0', '-tentative'])
        return text.includes('scope link')
      })
      const server = await dhcpServer(lab, leases)
      await dhcpClient(lab, words)
      await until(
        'the uplink has a lease and a default route',
        async () => (await lab.ok('host', ['ip', 'route', 'show', 'default'])).includes('192.168.1.1'),
        30,
      )
      await work({ lab, server })
    },
    { bare: true },
  )
}

/** The IPv4 addresses of a link. */
export const leased = async (lab: Lab, dev: string): Promise<readonly string[]> => {
  const text = await lab.ok('host', ['ip', '-j', '-4', 'addr', 'show', 'dev', dev])
  const [link] = JSON.parse(text) as { addr_info: { local: string }[] }[]
  return (link?.addr_info ?? []).map(({ local }) => local)
}

/** How often the server has given an address, the first time included. */
export const acknowledged = (server: Running, address: string): number =>
  server.stdout().split(`DHCPACK(e0) ${address} `).length - 1

/** What begins a client on a bridge again, as what it shows in `/proc`. */
export const keeper = '/bin/sh /*/keeper*'

/** Clients like this, and what would begin them again. */
export async function endForGood(lab: Lab, pattern: string): Promise<void> {
  await until(`there is no ${pattern}`, async () => {
    const pids = [...(await processesLike(lab, keeper)), ...(await processesLike(lab, pattern))].map(String)
    if (pids.length > 0) await lab.run('host', ['kill', '-9', ...pids])
    return pids.length === 0
  })
}
