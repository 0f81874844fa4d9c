import type { Lab } from '../lab/lab.ts'
import type { Running } from '../lab/start.ts'
import {
  dhcpServer,
  installNmcli,
  networkManager,
  nmcli,
  startNetworkManager,
  type Leases,
} from './managers.ts'
import { inLab, until } from './tap.ts'

/** A host whose uplink NetworkManager has brought up from a profile. */

export const uuid = '11111111-2222-3333-4444-555555555555'

const profile = (ipv4: readonly string[], ipv6: readonly string[]): string =>
  [
    ...['[connection]', 'id=wired', `uuid=${uuid}`, 'type=ethernet', 'interface-name=eth0'],
    ...['[ipv4]', ...ipv4, '[ipv6]', ...ipv6, ''],
  ].join('\n')

const dns = ['dns=192.168.1.1;192.168.1.2;', 'dns-search=example.test;']

export const profiles = {
  'static addresses': profile(
    ['method=manual', 'address1=192.168.1.50/24,192.168.1.1', ...dns],
    ['method=manual', 'address1=fd01::50/64,fd01::1', 'dns=fd01::1;'],
  ),
  'a lease': profile(['method=auto'], ['method=manual', 'address1=fd01::50/64,fd01::1']),
  'a lease and router advertisements': profile(['method=auto'], ['method=auto']),
} as const

export interface Managed {
  readonly lab: Lab
  /** Of the DHCP profiles. */
  readonly server: Running
  /** Ends NetworkManager as its service does, and starts it again. */
  readonly restart: () => Promise<void>
  /** Until `restart()`. */
  readonly end: () => Promise<void>
}

const folder = '/run/manager/profiles'
const configFor = (dns: string): string => `dns=${dns}\n[keyfile]\npath=${folder}\n`

/** What its router gives and advertises. */
export const usual: Leases = {
  time: '2m',
  renewal: 5,
  isAdvertising: true,
  options: ['option:dns-server,192.168.1.1,192.168.1.2', 'option:domain-search,example.test'],
}

interface ManagedOptions {
  readonly profile: string
  readonly leases?: Leases
  /** Whom NetworkManager tells of name servers (NetworkManager.conf(5)). */
  readonly dns?: 'default' | 'systemd-resolved'
}

export async function inManagedLab(
  { profile: text, leases = usual, dns: told = 'default' }: ManagedOptions,
  work: (managed: Managed) => Promise<void>,
): Promise<void> {
  await inLab(
    async (lab) => {
      await installNmcli(lab)
      const server = await dhcpServer(lab, leases)
      await lab.ok('host', ['mkdir', '-p', folder])
      await lab.ok('host', ['install', '-m', '600', '/dev/null', `${folder}/eth0.nmconnection`])
      await lab.ok('host', ['tee', `${folder}/eth0.nmconnection`], { input: text })
      const config = configFor(told)
      const running = { now: await networkManager(lab, config) }
      const end = async (): Promise<void> => {
        running.now.kill('SIGTERM')
        await running.now.exited
      }
      const restart = async (): Promise<void> => {
        await end()
        running.now = await startNetworkManager(lab, config)
      }
      await untilActive(lab, text)
      await work({ lab, server, restart, end })
    },
    { bare: true },
  )
}

/** The profile is active on eth0, and no address is tentative. */
async function untilActive(lab: Lab, text = ''): Promise<void> {
  await until('the profile is active', async () => (await activeOn(lab, 'eth0')) === uuid, 20)
  await until(
    'its addresses can be used',
    async () => {
      const shown = await lab.ok('host', ['ip', '-o', 'addr', 'show', 'dev', 'eth0'])
      const isAdvertised = text === profiles['a lease and router advertisements']
      const wanted = [
        /inet 192/,
        /inet6 fe80/,
        ...(text === '' ? [] : [isAdvertised ? /inet6 fd01:/ : /inet6 fd01::50/]),
      ]
      return wanted.every((each) => each.test(shown)) && !shown.includes('tentative')
    },
    20,
  )
}

/** The UUID of the profile that is active on a link and whole; else empty. */
export async function activeOn(lab: Lab, dev: string): Promise<string> {
  const text = await nmcli(lab, `-g GENERAL.STATE,GENERAL.CON-UUID device show ${dev}`)
  const [state = '', profileId = ''] = text.split('\n')
  return state.startsWith('100 ') ? profileId : ''
}

/** What NetworkManager writes for the resolver. */
export const resolver = async (lab: Lab): Promise<readonly string[]> =>
  (await lab.ok('host', ['cat', '/run/NetworkManager/resolv.conf']))
    .split('\n')
    .filter((line) => /^(?:nameserver|search) /.test(line))
