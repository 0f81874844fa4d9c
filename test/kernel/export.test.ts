import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'

import { describe, expect, test } from 'vitest'

import { expectSame, exported, nameOf, raisedHost, type Export, type Manners } from '../helpers/exported.ts'
import { layLoad } from '../helpers/laden.ts'
import { dhcpClient, dhcpServer, networkd, networkdAlone } from '../helpers/managers.ts'
import { expectEnding, expectUntouched } from '../helpers/refused.ts'
import { bin, inLab, ok, run, until } from '../helpers/tap.ts'
import { tool } from '../lab/tools.ts'
import { exportKinds } from '../../src/options.ts'
import { readmePath } from '../../dev/readme/parts.ts'
import { clients, leased } from '../helpers/dhcp-host.ts'
import type { Lab } from '../lab/lab.ts'

/** What brup prints to make its bridge permanent, and what systemd-networkd makes of it. */

const manners: Manners = [
  // It marks what it was told.
  [/ proto static\b/g, ''],
  // Nobody waits for it without STP.
  [/\bforward_delay \d+/g, ''],
  // It listens to routers in the place of the kernel.
  [/^(ipv6\/conf\/(?:br0|eth0)\/accept_ra):\d$/gm, '$1'],
  // systemd turns that on for each link that it configures.
  [/^(ipv4\/conf\/(?:br0|eth0)\/promote_secondaries):\d$/gm, '$1'],
]

const filesOf = ({ files }: Export): Readonly<Record<string, string>> =>
  Object.fromEntries(files.map(({ path, text }) => [nameOf(path), text]))

const complaint = /Unknown|Failed|Invalid|ignoring/i

describe('networkd makes the same host', () => {
  const loads = { 'with an address of each family': () => Promise.resolve(), 'with a load': layLoad }
  test.each(Object.entries(loads))('%s', async (_, load) => {
    const { wanted, config } = await raisedHost('networkd', load)
    await inLab(
      async (lab) => {
        const running = await networkd(lab, filesOf(config))
        await expectSame(lab, wanted, { manners })
        expect(running.stdout()).not.toMatch(complaint)
      },
      { bare: true },
    )
  })

  /** What the client and the kernel leave out or call otherwise. */
  const ofDaemons: Manners = [
    [/^(default via 192\.168\.1\.1 dev br0) proto dhcp src 192\.168\.1\.\d+/gm, '$1'],
    [/^192\.168\.1\.1 dev br0 proto dhcp scope link src .*\n/gm, ''],
    [/(dynamic mngtmpaddr) noprefixroute/g, '$1'],
    [/^(fd01::\/64 dev br0) proto (?:kernel metric 256|ra metric 1024)/gm, '$1'],
    [/ (?:hoplimit 64|mtu 1500) (pref medium)$/gm, ' $1'],
  ]
  const leases = { time: '1h', isAdvertising: true }
  const hasBoth = async (lab: Lab, dev: string): Promise<boolean> => {
    const text = await lab.ok('host', [
      'ip',
      '-o',
      'addr',
      'show',
      'dev',
      dev,
      'scope',
      'global',
      '-tentative',
    ])
    const routes = await lab.ok('host', ['sh', '-c', 'ip route; ip -6 route'])
    return /inet .*inet6 fd01:/s.test(text) && (routes.match(/^default/gm) ?? []).length === 2
  }

  test('with a lease and an advertised prefix', async () => {
    const { wanted, config } = await raisedHost(
      'networkd',
      async (lab) => {
        await dhcpServer(lab, leases)
        await lab.ip('host', ['link set eth0 up'])
        await dhcpClient(lab, clients.dhclient.words)
        await until('the host has both', () => hasBoth(lab, 'eth0'), 30)
      },
      { bare: true },
    )
    await inLab(
      async (lab) => {
        await dhcpServer(lab, leases)
        const running = await networkd(lab, filesOf(config))
        await until('the host has both', () => hasBoth(lab, 'br0'), 30)
        await expectSame(lab, wanted, { manners: [...manners, ...ofDaemons] })
        expect(running.stdout()).not.toMatch(complaint)
      },
      { bare: true },
    )
  })
})

test('networkd hides the guests of a bridge with NAT, and serves them', async () => {
  const configs: Export[] = []
  await inLab(async (lab) => {
    const range = '--dhcp-range 192.168.40.50,192.168.40.150'
    await ok(lab, `brup br20 --nat --address 192.168.40.1/24 --address fd40::1/64 ${range}`)
    configs.push(await exported(lab, 'networkd', 'br20'))
  })
  await inLab(async (lab) => {
    const [config] = configs
    if (config === undefined) throw new Error('nothing exported')
    const running = await networkd(lab, filesOf(config))
    await lab.ip('host', [
      'link add v0 type veth peer name v1',
      'link set v1 up',
      'link set v0 master br20 up',
    ])
    await until('it hides them', async () =>
      /{ 192\.168\.40\.0\/24 }.*{ fd40::\/64 }/s.test(await lab.ok('host', ['nft', 'list', 'ruleset'])),
    )
    await until('it serves them', async () =>
      (await lab.ok('host', ['cat', '/proc/net/udp'])).includes(':0043 '),
    )
    expect(await lab.ok('host', ['cat', '/proc/sys/net/ipv4/ip_forward'])).toBe('1\n')
    expect(await leased(lab, 'br20')).toEqual(['192.168.40.1'])
    expect(running.stdout()).not.toMatch(complaint)
  })
})

const readmeLines = [...readFileSync(readmePath, 'utf8').matchAll(/^\(umask \d+; brup --export .*\)/gm)].map(
  ([line]) => line,
)

test('the README has such lines', () => {
  expect(readmeLines).toHaveLength(2)
})

describe('brup --export', () => {
  const files = (lab: Lab): Promise<string> =>
    lab.ok('host', ['find', '/run', '/var/lib', '-printf', '%p %m %s %T@\n'])

  async function expectNothingWritten(lab: Lab): Promise<void> {
    const before = await files(lab)
    await expectUntouched(lab, async () => {
      for (const kind of exportKinds) await ok(lab, `brup --export ${kind}`)
    })
    expect(await files(lab)).toBe(before)
  }

  test('writes nothing and changes nothing, before brup and after it', async () => {
    await inLab(async (lab) => {
      await expectNothingWritten(lab)
      await ok(lab, 'brup')
      await expectNothingWritten(lab)
    })
  })

  test('prints before brup what it prints after it', async () => {
    await inLab(async (lab) => {
      await layLoad(lab)
      const foreseen = await exported(lab, 'networkd')
      await ok(lab, 'brup')
      expect(await exported(lab, 'networkd')).toEqual(foreseen)
    })
  })

  test('writes down a bridge that drifted as it is, and says so', async () => {
    await inLab(async (lab) => {
      await ok(lab, 'brup')
      await lab.ip('host', 'route del default')
      const { exit, stdout, stderr } = await run(lab, 'brup --export networkd')
      expect(exit).toBe(0)
      expect(stderr).toContain(
        'brup: br0 is not as brup left it (see brstatus); it is written down as it is\n',
      )
      expect(stdout).not.toContain('Gateway=192.168.1.1')
      expect(stdout).toContain('Gateway=fd01::1')
    })
  })

  test('is for anyone, and tells what is not carried on stderr as well', async () => {
    await inLab(async (lab) => {
      await layLoad(lab)
      const { files: wanted, notes } = await exported(lab, 'netplan')
      const nobody = [tool('setpriv'), '--reuid=65534', '--regid=65534', '--clear-groups']
      const line = [...nobody, bin('brup'), '--export', 'netplan']
      const { exit, stdout, stderr } = await lab.run('host', line)
      expect(exit).toBe(0)
      for (const { path, text } of wanted) expect(stdout).toContain(`\n# ${path} (mode 0600)\n${text}`)
      expect(stderr).toBe(notes.map((note) => `brup: ${note}\n`).join(''))
      for (const note of notes) expect(stdout).toContain(`\n# ${note}\n`)
    })
  })

  test.each(readmeLines)('the line of the README writes the files: %s', async (line) => {
    const kind = exportKinds.find((each) => line.includes(` ${each} `)) ?? 'libvirt'
    await inLab(async (lab) => {
      await layLoad(lab)
      await lab.ok('host', ['sysctl', '-qw', 'net.ipv4.conf.eth0.rp_filter=2'])
      const { files: wanted } = await exported(lab, kind)
      expect(wanted.length).toBeGreaterThan(1)
      const folders = wanted.map(({ path }) => dirname(path)).join(' ')
      const script = [
        'mkdir -p /run/upper /run/work',
        'mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/upper,workdir=/run/work /etc',
        `mkdir -p ${folders}`,
        line.replace('brup', bin('brup')).replace('sudo ', ''),
      ]
      await lab.ok('host', ['sh', '-ec', script.join('\n')])
      for (const { path, mode, text } of wanted) {
        const there = path.replace('/etc/', '/run/upper/')
        const [first, ...rest] = (await lab.ok('host', ['cat', there])).split('\n')
        expect([first?.split(' ')[1], rest.join('\n').trim()]).toEqual([path, text.trim()])
        if (mode === '0600') expect(await lab.ok('host', ['stat', '-c', '%a', there])).toBe('600\n')
      }
    })
  })

  test('writes down what somebody else manages by now', async () => {
    await inLab(async (lab) => {
      const eth0 = '[Match]\nName=eth0\n[Network]\nAddress=192.168.1.50/24\nGateway=192.168.1.1\n'
      await networkdAlone(lab, { '10-eth0.network': eth0 })
      const refused = await run(lab, 'brup')
      expect([refused.exit, refused.stderr]).toEqual([
        3,
        expect.stringContaining(
          'systemd-networkd manages eth0 and cannot be taken along: it cannot be reached',
        ),
      ])
      const [, network] = (await exported(lab, 'networkd')).files
      expect(network?.text).toContain('\nAddress=192.168.1.50/24\n')
    })
  })

  test('is refused where the bridge may yet be taken back', async () => {
    await inLab(async (lab) => {
      const trial = await lab.start('host', ['sh', '-c', 'exec "$@" 2>&1', 'sh', bin('brup'), '--try', '600'])
      await trial.waitFor(/br0 is on trial/)
      const { exit, stderr } = await expectUntouched(lab, () => run(lab, 'brup --export networkd'))
      expect([exit, stderr]).toEqual([
        3,
        expect.stringMatching(/^brup: br0 is on trial for another \d+ s \(/),
      ])
      await ok(lab, 'brup --accept')
      expect((await trial.exited).exit).toBe(0)
      const path = (await lab.ok('host', ['sh', '-c', 'echo /run/qemu-tap-hooks/*/journal-br0.json'])).trim()
      const journal = JSON.parse(await lab.ok('host', ['cat', path])) as Record<string, unknown>
      const pending = { command: 'brdown', before: journal['raised'] }
      await lab.ok('host', ['tee', path], { input: JSON.stringify({ ...journal, pending }) })
      await expectEnding(lab, 'brup --export networkd', {
        says: 'brup: an unfinished brdown of br0 would be taken back first (brup br0 or brdown br0 does that)',
      })
    })
  })

  test('is refused where there is no uplink', async () => {
    await inLab(
      async (lab) => {
        await expectEnding(lab, 'brup --export networkd', {
          says: 'brup: no uplink found: there is no default route (give --uplink IF, or --no-uplink)',
        })
        await ok(lab, 'brup --export networkd --no-uplink')
      },
      { bare: true },
    )
  })
})
