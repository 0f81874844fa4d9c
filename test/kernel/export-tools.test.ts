import { describe, expect, test } from 'vitest'

import { exported, expectSame, place, raisedHost, type Manners } from '../helpers/exported.ts'
import { layLoad } from '../helpers/laden.ts'
import { libraries, networkManager, nmcli, unpackedProgram, unpacked } from '../helpers/managers.ts'
import { inLab, linkOf, ok, until } from '../helpers/tap.ts'

/** Whether each tool takes what brup prints for it. */

const folder = '/run/exported'

describe('netplan', () => {
  test('generates the units of networkd from it', async () => {
    await inLab(async (lab) => {
      await layLoad(lab)
      await ok(lab, 'brup')
      const config = await exported(lab, 'netplan')
      await place(lab, config, `${folder}/etc/netplan`)
      const env = { LD_LIBRARY_PATH: libraries }
      const generate = [`${unpacked}/usr/libexec/netplan/generate`, '--root-dir', folder]
      const { exit, stdout, stderr } = await lab.run('host', generate, { env })
      expect({ exit, stdout, stderr }).toEqual({ exit: 0, stdout: '', stderr: '' })
      const units = `${folder}/run/systemd/network/10-netplan-`
      const port = await lab.ok('host', ['cat', `${units}eth0.network`])
      expect(port.split('\n')).toEqual(expect.arrayContaining(['LinkLocalAddressing=no', 'Bridge=br0']))
      const netdev = await lab.ok('host', ['cat', `${units}br0.netdev`])
      expect(netdev.split('\n')).toEqual(
        expect.arrayContaining(['MACAddress=02:00:00:00:01:50', 'MTUBytes=1500', 'STP=false']),
      )
      const network = await lab.ok('host', ['cat', `${units}br0.network`])
      const sections = network.split('\n\n').map((text) => text.trim().split('\n'))
      expect(sections).toContainEqual(['[Route]', 'Destination=0.0.0.0/0', 'Gateway=192.168.1.1'])
      expect(sections).toContainEqual(['[Route]', 'Destination=::/0', 'Gateway=fd01::1'])
      expect(sections).toContainEqual(['[Address]', 'Address=10.9.0.1/24', 'Label=br0:9'])
      expect(sections).toContainEqual([
        '[RoutingPolicyRule]',
        'From=192.168.1.51',
        'Table=100',
        'Priority=501',
      ])
      expect(sections.flat()).toEqual(
        expect.arrayContaining(['Address=192.168.1.50/24', 'Address=fd01::50/64', 'IPv6AcceptRA=yes']),
      )
      expect(config.notes).toContain('not carried: the rule iif br0 table 100 priority 500')
    })
  })
})

const broadcast = [/ brd (?:\d+\.){3}\d+ scope/g, ' scope'] as const
// Nobody waits for it without STP.
const delay = [/\bforward_delay \d+/g, ''] as const

describe('NetworkManager', () => {
  const manners: Manners = [
    // It marks what it was told, and makes prefix routes by itself.
    [/ proto static\b/g, ''],
    [/ noprefixroute\b/g, ''],
    // It makes link-local addresses and listens to routers in the place of the kernel.
    [/\baddrgenmode \w+/g, ''],
    [/^(ipv6\/conf\/br0\/addr_gen_mode):\d$/gm, '$1'],
    [/^(ipv6\/conf\/(?:br0|eth0)\/accept_ra):\d$/gm, '$1'],
    broadcast,
    delay,
  ]
  const noted = [
    'not carried: label of the address 10.9.0.1/24',
    'not carried: the neighbour 192.168.1.77 with 02:00:00:00:00:77',
  ]
  const lines = [
    'address: - br0 inet 10.9.0.1/24 scope global br0:9 valid_lft forever preferred_lft forever',
    'address: + br0 inet 10.9.0.1/24 scope global br0 valid_lft forever preferred_lft forever',
    'neighbour: - 192.168.1.77 dev br0 lladdr 02:00:00:00:00:77 PERMANENT',
    // It makes one for each address, also for the second of a subnet.
    'route: + 192.168.1.0/24 dev br0 proto kernel scope link src 192.168.1.51',
    'route6: - fe80::/64 dev br0 proto kernel metric 256 pref medium',
    'route6: + fe80::/64 dev br0 proto kernel metric 1024 pref medium',
  ]

  test('loads it, and makes the same host', async () => {
    const { wanted, config } = await raisedHost('networkmanager', layLoad)
    expect(config.notes).toEqual(expect.arrayContaining(noted))
    await inLab(
      async (lab) => {
        await place(lab, config, folder)
        await networkManager(lab, `[keyfile]\npath=${folder}\n`)
        const shown = (): Promise<string> => nmcli(lab, '-g NAME,DEVICE,STATE connection show --active')
        await until('br0 is up', async () => (await shown()).includes('br0:br0:activated'), 30)
        expect(await shown()).toContain('br0-eth0:eth0:activated')
        expect((await linkOf(lab, 'eth0'))?.master).toBe('br0')
        await expectSame(lab, wanted, { manners, lines })
      },
      { bare: true },
    )
  })
})

describe('ifupdown', () => {
  const manners: Manners = [
    // Its gateways are to be reached in any case.
    [/ onlink\b/g, ''],
    broadcast,
    delay,
  ]
  /** What the set-up unpacked, in its place for the time of one command. */
  const installed = (line: string): string[] => {
    const places = { sbin: '/usr/sbin', lib: '/usr/lib', etc: '/etc' }
    const mounts = Object.entries(places).map(
      ([from, to]) => `mount -t overlay overlay -o lowerdir=${unpacked}/${from}:${to} ${to}`,
    )
    return ['sh', '-ec', [...mounts, 'mkdir -p /run/network', line].join('\n')]
  }
  const file = `${folder}/br0`

  test('ifquery and ifup --no-act read it', async () => {
    await inLab(async (lab) => {
      await layLoad(lab)
      await place(lab, await exported(lab, 'ifupdown'), folder)
      const query = await lab.ok('host', [unpackedProgram('ifquery'), '-i', file, 'br0'])
      expect(query).toContain('bridge_ports: eth0\nbridge_hw: 02:00:00:00:01:50\n')
      const options = ['--no-act', '--no-scripts', '-v', '-i', file, '--state-dir=/run']
      const { exit, stderr } = await lab.run('host', [unpackedProgram('ifup'), ...options, 'br0'])
      expect(exit).toBe(0)
      expect(stderr).toContain('\nip rule add iif br0 table 100 priority 500\n')
    })
  })

  test('ifup makes the same host, and ifdown leaves nothing of it', async () => {
    const { wanted, config } = await raisedHost('ifupdown', layLoad)
    await inLab(
      async (lab) => {
        await place(lab, config, folder)
        const { exit, stderr } = await lab.run('host', installed(`ifup -i ${file} br0`))
        // bridge-utils turns VLAN filtering off even where the kernel has none.
        expect(stderr).toMatch(/^(?:RTNETLINK answers: Operation not supported\n)?$/)
        expect(exit).toBe(0)
        await expectSame(lab, wanted, { manners })
        await lab.ok('host', installed(`ifdown -i ${file} br0`))
        expect(await linkOf(lab, 'br0')).toBeUndefined()
        expect(await lab.ok('host', ['ip', 'rule', 'show', 'table', '100'])).toBe('')
      },
      { bare: true },
    )
  })
})

describe('libvirt', () => {
  test('its own schema holds for it, also for a bridge that is a network of its own', async () => {
    await inLab(async (lab) => {
      await ok(lab, 'brup')
      await ok(lab, 'brup br10 --no-uplink --address 192.168.30.1/24')
      for (const bridge of ['br0', 'br10']) {
        await place(lab, await exported(lab, 'libvirt', bridge), folder)
        const schema = `${unpacked}/usr/share/libvirt/schemas/network.rng`
        const line = [unpackedProgram('xmllint'), '--noout', '--relaxng', schema, `${folder}/${bridge}.xml`]
        const { exit, stderr } = await lab.run('host', line, { env: { LD_LIBRARY_PATH: libraries } })
        expect([exit, stderr]).toEqual([0, `${folder}/${bridge}.xml validates\n`])
      }
    })
  })
})
