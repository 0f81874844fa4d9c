import type { Lab } from '../lab/lab.ts'
import { dhcpClient, dhcpServer, unpackedFile } from './managers.ts'
import { clients } from './dhcp-host.ts'
import { inMountsOf, overlay } from './mounts.ts'
import { inLab, until } from './tap.ts'

/** A host with a DHCP client, whose hooks tell resolvconf of its name servers. */

// They write no /etc/resolv.conf: that of the lab is the machine's, which nobody may write.
const etc = '/run/tools/etc'

function installation(kind: string): string {
  const from = unpackedFile(`apart/${kind}`)
  return [
    `mkdir -p ${etc} /run/resolvconf/interface && cp -r '${from}/etc/.' ${etc}`,
    `if [ -e ${etc}/resolvconf.conf ]; then echo resolv_conf=/run/resolvconf/resolv.conf >>${etc}/resolvconf.conf; fi`,
    `mkdir -p ${etc}/default && echo REPORT_ABSENT_SYMLINK=no >${etc}/default/resolvconf`,
    overlay(etc, '/etc'),
    overlay(`${from}/sbin`, '/usr/sbin'),
    overlay(`${from}/lib`, '/usr/lib'),
    'touch /run/resolvconf/enable-updates',
  ].join('\n')
}

export async function inResolvconfLab(kind: string, work: (lab: Lab) => Promise<void>): Promise<void> {
  await inLab(
    async (lab) => {
      await inMountsOf(lab, installation(kind))
      await lab.ip('host', ['link set eth0 up'])
      await dhcpServer(lab, {
        time: '2m',
        options: ['option:dns-server,192.168.1.1,192.168.1.2', 'option:domain-search,example.test'],
      })
      await dhcpClient(lab, clients.dhclient.words)
      await until('its name servers are known', async () => (await nameServers(lab)) !== '')
      await work(lab)
    },
    { bare: true },
  )
}

/** The lines of the file that it writes. */
export const nameServers = (lab: Lab): Promise<string> =>
  lab.ok('host', ['sh', '-c', 'grep -h ^nameserver /run/resolvconf/resolv.conf 2>/dev/null || :'])

/** Each record with its text. */
export const recordsOf = async (lab: Lab): Promise<Readonly<Record<string, string>>> => {
  const said = await lab.ok('host', [
    'sh',
    '-c',
    'cd /run/resolvconf && grep -r "" interface interfaces 2>/dev/null || :',
  ])
  const lines = [...said.matchAll(/^interfaces?\/([^:]*):(.*)$/gm)]
  const names = [...new Set(lines.map(([, name = '']) => name))].sort()
  return Object.fromEntries(
    names.map((each) => [
      each,
      lines.flatMap(([, name, line = '']) => (name === each ? [line] : [])).join('\n'),
    ]),
  )
}
