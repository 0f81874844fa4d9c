import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'

import {
  acknowledged,
  clients,
  endForGood,
  inLeasedLab,
  keeper,
  leased,
  type Scene,
} from '../helpers/dhcp-host.ts'
import { clientLine, dhcpClient, dhcpServer, unpackedProgram } from '../helpers/managers.ts'
import { bin } from '../helpers/faults.ts'
import { inMountsOf } from '../helpers/mounts.ts'
import { expectEnding } from '../helpers/refused.ts'
import { inLab, ok, run, until } from '../helpers/tap.ts'
import { processesLike } from '../helpers/watchdog.ts'
import type { Lab } from '../lab/lab.ts'
import { tool } from '../lab/tools.ts'
import { snapshot, diffSnapshots } from '../lab/snapshot.ts'

/** The DHCP client of the uplink goes with the host to the bridge, and back. */

/** Counts what asks for a lease at the uplink itself, before that ends there. */
const probe = `table netdev probe {
  chain egress {
    type filter hook egress device "eth0" priority -10
    udp sport 68 udp dport 67 meta mark 0 counter
  }
}
`

/** Its pid. One that goes into the background is another process from then on. */
async function theOnly(lab: Lab, pattern: string): Promise<string> {
  let pids: readonly number[] = []
  await until(`there is one ${pattern}`, async () => {
    pids = await processesLike(lab, pattern)
    return pids.length === 1
  })
  return String(pids[0])
}

describe.each(Object.entries(clients))('%s', (name, { words, pattern }) => {
  const leases = { time: '2m', renewal: 5 }

  /** What it gets when it begins, and what it asks for later on. */
  async function renews({ lab, server }: Scene, address: string, since: number): Promise<void> {
    const all = (): number => acknowledged(server, address)
    await until('it has its lease', () => Promise.resolve(all() > since), 30)
    // It keeps to half of the lease's time, whatever the server says, but for this signal.
    const isRenewed = async (): Promise<boolean> => {
      if (name === 'udhcpc') await lab.run('host', ['kill', '-USR1', await theOnly(lab, pattern)])
      await delay(500)
      return all() > since + 1
    }
    await until('it is renewed', isRenewed, 30)
  }

  /** The address that the client has got on the bridge. */
  async function raised({ lab, server }: Scene): Promise<string> {
    const [address = ''] = await leased(lab, 'eth0')
    const first = acknowledged(server, address)
    await ok(lab, 'brup')
    await until('it has its lease', () => Promise.resolve(acknowledged(server, address) > first), 30)
    return address
  }

  test('goes to the bridge and back with its lease, and renews it on both', async () => {
    await inLeasedLab(words, leases, async (scene) => {
      const { lab, server } = scene
      const before = await snapshot(lab)
      const [address = ''] = await leased(lab, 'eth0')
      const first = acknowledged(server, address)
      await ok(lab, 'brup')
      await renews(scene, address, first)
      expect(await leased(lab, 'eth0')).toEqual([])
      expect(await leased(lab, 'br0')).toEqual([address])
      const then = acknowledged(server, address)
      await ok(lab, 'brdown')
      await renews(scene, address, then)
      expect(await leased(lab, 'eth0')).toEqual([address])
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
      await theOnly(lab, pattern)
    })
  }, 120_000)

  test('that ends on the bridge begins again there by itself, also where somebody begins one on the uplink', async () => {
    await inLeasedLab(words, leases, async (scene) => {
      const { lab, server } = scene
      const address = await raised(scene)
      const ended = (await processesLike(lab, pattern)).map(String)
      const pings = lab.run('router', ['ping', '-i', '0.2', '-c', '50', '-W', '1', address])
      // As most who end one, and so that it could take its address along.
      await lab.run('host', ['kill', ...ended])
      await dhcpClient(lab, words)
      const isNew = async (): Promise<boolean> =>
        (await processesLike(lab, `*br0*`)).some((pid) => !ended.includes(String(pid)))
      await until('there is another one on the bridge', isNew)
      const then = acknowledged(server, address)
      await until('it has its lease', () => Promise.resolve(acknowledged(server, address) > then), 30)
      expect((await pings).stdout).toContain('50 packets transmitted, 50 received')
      expect(await leased(lab, 'br0')).toEqual([address])
      expect(await leased(lab, 'eth0')).not.toContain(address)
      expect(await ok(lab, 'brstatus')).not.toContain('missing: ')
      expect((await run(lab, 'brup')).stderr).toContain(`repaired: too much: ${name} of eth0`)
      await renews(scene, address, acknowledged(server, address) - 1)
      await ok(lab, 'brdown')
      expect(await leased(lab, 'eth0')).toEqual([address])
      expect(await processesLike(lab, keeper)).toEqual([])
    })
  }, 120_000)

  test('that has ended for good on the bridge is begun again by the next brup, and renews', async () => {
    await inLeasedLab(words, leases, async (scene) => {
      const { lab, server } = scene
      const address = await raised(scene)
      await endForGood(lab, pattern)
      expect(await ok(lab, 'brstatus')).toContain(`drift: missing: ${name} of br0`)
      const then = acknowledged(server, address)
      expect((await run(lab, 'brup')).stderr).toContain(`repaired: missing: ${name} of br0`)
      await renews(scene, address, then)
      expect(await leased(lab, 'br0')).toEqual([address])
      await ok(lab, 'brdown')
      expect(await leased(lab, 'eth0')).toEqual([address])
    })
  }, 120_000)

  test('that somebody begins on the uplink again gets no lease there, and is ended by the next brup', async () => {
    await inLeasedLab(words, leases, async (scene) => {
      const { lab, server } = scene
      const [address = ''] = await leased(lab, 'eth0')
      const first = acknowledged(server, address)
      await ok(lab, 'brup')
      await lab.ok('host', ['nft', '-f', '-'], { input: probe })
      const pings = lab.run('router', ['ping', '-i', '0.2', '-c', '50', '-W', '1', address])
      await dhcpClient(lab, words)
      const asked = async (): Promise<number> =>
        Number(/packets (\d+)/.exec(await lab.ok('host', ['nft', 'list', 'ruleset', 'netdev']))?.[1])
      await until('it has asked more than once', async () => (await asked()) > 1, 30)
      expect((await pings).stdout).toContain('50 packets transmitted, 50 received')
      expect(await leased(lab, 'eth0')).not.toContain(address)
      expect(await leased(lab, 'br0')).toEqual([address])
      const drift = `too much: ${name} of eth0`
      expect(await ok(lab, 'brstatus')).toContain(drift)
      expect((await run(lab, 'brup')).stderr).toContain(`repaired: ${drift}`)
      await lab.ok('host', ['nft', 'flush', 'ruleset'])
      const unguarded = 'missing: what keeps eth0 from asking for a lease'
      expect(await ok(lab, 'brstatus')).toContain(unguarded)
      expect((await run(lab, 'brup')).stderr).toContain(`repaired: ${unguarded}`)
      await renews(scene, address, first)
      const guest = ['udhcpc', '-f', '-q', '-n', '-i', 'guest', '-s', '/bin/true']
      await lab.ip('host', ['link add port type veth peer name guest', 'link set port master br0 up'])
      await lab.ip('host', ['link set guest up'])
      expect((await lab.run('host', [tool('busybox'), ...guest])).stderr).toContain(
        'obtained from 192.168.1.1',
      )
      await lab.ip('host', ['link del port'])
      const then = acknowledged(server, address)
      await ok(lab, 'brdown')
      await renews(scene, address, then)
      expect(await lab.ok('host', ['nft', 'list', 'ruleset'])).toBe('')
    })
  }, 120_000)

  test('keeps what else is on the link, also where no server answers any more', async () => {
    await inLeasedLab(words, leases, async ({ lab, server }) => {
      await lab.ip('host', [
        'addr add 192.168.7.1/24 dev eth0',
        'route add 192.168.8.0/24 via 192.168.7.9 dev eth0',
      ])
      const before = await snapshot(lab)
      server.kill('SIGKILL')
      await ok(lab, 'brup')
      await ok(lab, 'brdown')
      // Long enough for its script, and for its first questions.
      await delay(15_000)
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    })
  }, 120_000)

  test('is on the uplink all the time where there is no room for its files', async () => {
    await inLeasedLab(words, leases, async ({ lab }) => {
      const before = await snapshot(lab)
      const folder = '/var/lib/qemu-tap-hooks'
      await inMountsOf(lab, `mkdir -p ${folder} && mount -t tmpfs -o size=256k tmpfs ${folder}`)
      const fill = `dd if=/dev/zero of=${folder}/filler bs=4k 2>/dev/null || :`
      const expectKept = async (): Promise<void> => {
        await lab.ok('host', ['sh', '-c', fill])
        const { exit, stderr } = await run(lab, 'brup')
        expect([exit, stderr]).toEqual([1, expect.stringContaining('ENOSPC')])
        await theOnly(lab, pattern)
        expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
        await lab.ok('host', ['rm', `${folder}/filler`])
      }
      await expectKept()
      await ok(lab, 'brup')
      await ok(lab, 'brdown')
      // Now its scripts are there.
      await expectKept()
    })
  }, 120_000)

  test('goes there and back by what --dry-run prints, too', async () => {
    await inLeasedLab(words, leases, async (scene) => {
      const { lab, server } = scene
      const before = await snapshot(lab)
      const [address = ''] = await leased(lab, 'eth0')
      const script = await ok(lab, 'brup --dry-run')
      const owner = `eth0 is managed by ${name}, which goes to br0 with its lease\n`
      expect(script).toContain(`\n# ${owner}`)
      await ok(lab, 'brup')
      expect(await ok(lab, 'brstatus')).toContain(`\n  ${owner}`)
      const back = await ok(lab, 'brdown --dry-run')
      for (const [input, dev] of [
        [back, 'eth0'],
        [script, 'br0'],
      ] as const) {
        const since = acknowledged(server, address)
        await lab.ok('host', ['sh', '-e'], { input })
        await renews(scene, address, since)
        expect(await leased(lab, dev)).toEqual([address])
        await theOnly(lab, pattern)
        if (dev === 'eth0') expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
      }
      expect(await leased(lab, 'eth0')).toEqual([])
    })
  }, 120_000)

  test('ends where the user tells another address, and is there again afterwards', async () => {
    await inLeasedLab(words, leases, async ({ lab }) => {
      const before = await snapshot(lab)
      await ok(lab, 'brup --address 192.168.1.77/24 --gateway 192.168.1.1')
      expect(await processesLike(lab, pattern)).toEqual([])
      expect(await leased(lab, 'br0')).toEqual(['192.168.1.77'])
      expect(await ok(lab, 'brstatus')).toContain(`eth0 is managed by ${name}, which is ended until brdown\n`)
      await ok(lab, 'brdown')
      await theOnly(lab, pattern)
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    })
  }, 120_000)
})

test('udhcpc that gets no answer on the bridge goes on asking, and is one', async () => {
  const { words, pattern } = clients.udhcpc
  await inLeasedLab(words, { time: '1h' }, async ({ lab, server }) => {
    server.kill('SIGKILL')
    await ok(lab, 'brup')
    // Three questions, three seconds each, and another round.
    await delay(25_000)
    expect(await processesLike(lab, pattern)).toHaveLength(1)
    await ok(lab, 'brdown')
    await theOnly(lab, pattern)
  })
}, 90_000)

test('dhcpcd that is begun anew has the metric that it had', async () => {
  await inLeasedLab(clients.dhcpcd.words, { time: '1h' }, async ({ lab, server }) => {
    const before = await snapshot(lab)
    const [address = ''] = await leased(lab, 'eth0')
    await ok(lab, 'brup')
    await lab.ip('host', 'link del br0')
    const then = acknowledged(server, address)
    await ok(lab, 'brup')
    await until('it has its lease', () => Promise.resolve(acknowledged(server, address) > then), 30)
    await delay(1000)
    expect(await ok(lab, 'brstatus')).not.toContain('drift')
    await ok(lab, 'brdown')
    expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
  })
}, 90_000)

test('two clients of one uplink are kept each', async () => {
  await inLeasedLab(clients.dhclient.words, { time: '1h' }, async ({ lab }) => {
    await dhcpClient(lab, clients.udhcpc.words)
    const both = [clients.dhclient.pattern, clients.udhcpc.pattern]
    await ok(lab, 'brup')
    for (const pattern of both) await theOnly(lab, pattern)
    expect(await processesLike(lab, keeper)).toHaveLength(2)
    const scripts = await lab.ok('host', ['sh', '-c', 'ls /var/lib/qemu-tap-hooks/*/keeper*-br0.sh'])
    expect(scripts.match(/\n/g)).toHaveLength(2)
    expect(await ok(lab, 'brstatus')).not.toContain('drift')
    await ok(lab, 'brdown')
    for (const pattern of both) await theOnly(lab, pattern)
    expect(await processesLike(lab, keeper)).toEqual([])
  })
}, 90_000)

test('a bridge that has one of its own belongs to somebody else', async () => {
  await inLab(async (lab) => {
    await lab.ip('host', ['link add br0 type bridge', 'link set br0 up'])
    await lab.start('host', clientLine(['udhcpc', '-f', '-s', '/bin/true', '-i', 'br0']))
    await theOnly(lab, '/*udhcpc *')
    const says =
      'brup: br0 was not made by brup and has a DHCP client of its own (udhcpc) (end it, or give brup the name of another bridge)'
    await expectEnding(lab, 'brup', { says })
  })
})

test('dhcpcd with its helpers, as another user each: none of them stays behind', async () => {
  const { words, pattern } = clients.dhcpcd
  const accounts =
    'mkdir -p /run/empty && (cat /etc/passwd; echo dhcpcd:x:999:999::/run/empty:/bin/false) >/run/passwd'
  await inLab(
    async (lab) => {
      await lab.ok('host', ['sh', '-c', accounts])
      const withAccounts = (line: readonly string[]): readonly string[] => [
        ...['sh', '-c', 'mount --bind /run/passwd /etc/passwd && exec "$@"', 'sh'],
        ...line,
      ]
      await dhcpServer(lab)
      await lab.ok('host', withAccounts(clientLine(words)))
      const helpers = ['privileged proxy', 'control proxy', 'network proxy'].map(
        (name) => `dhcpcd: [[]${name}]*`,
      )
      const all = async (): Promise<number> => (await processesLike(lab, 'dhcpcd: *')).length
      const oneEach = async (): Promise<void> => {
        for (const each of [pattern, ...helpers]) await theOnly(lab, each)
      }
      await oneEach()
      const before = await snapshot(lab)
      const count = await all()
      await lab.ok('host', withAccounts([bin('brup')]))
      await oneEach()
      expect(await leased(lab, 'eth0')).toEqual([])
      const ended = await theOnly(lab, pattern)
      await lab.ok('host', ['kill', '-9', ended])
      await until('there is another one', async () => {
        const pids = await processesLike(lab, pattern)
        return pids.length === 1 && !pids.includes(Number(ended))
      })
      await oneEach()
      await lab.ok('host', withAccounts([bin('brdown')]))
      await oneEach()
      await until('it has the same helpers', async () => (await all()) === count)
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    },
    { bare: true },
  )
})

describe('a client is known to look after the uplink', () => {
  const dhclient = [
    'dhclient',
    '-d',
    '-sf',
    '/bin/true',
    '-lf',
    '/run/dhclient.leases',
    '-pf',
    '/run/dhclient.pid',
  ]
  const udhcpc = ['udhcpc', '-f', '-s', '/bin/true']
  const lines = [
    [...udhcpc, '-i', 'eth0'],
    [...udhcpc, '-ieth0'],
    [...udhcpc, '--interface=eth0'],
    udhcpc,
    [...udhcpc, '-x', 'hostname:guest', '-F', 'myhost'],
    [...dhclient, 'eth0'],
    [...dhclient, '-p', '68', '-e', 'eth1=eth1', 'eth0'],
  ]
  const bound = /bound to|lease of .* obtained/
  test.each(lines.map((words) => ({ words, line: words.join(' ') })))('$line', async ({ words }) => {
    await inLab(async (lab) => {
      await dhcpServer(lab)
      const running = await dhcpClient(lab, words, bound)
      const before = await snapshot(lab)
      await ok(lab, 'brup')
      expect(await running.exited).toMatchObject({ exit: 137 })
      const [program = ''] = words
      expect(await processesLike(lab, `/*${program} * br0 *`)).toHaveLength(1)
      await ok(lab, 'brdown')
      expect(await processesLike(lab, `/*${program} * br0 *`)).toHaveLength(0)
      expect(await processesLike(lab, `/*${program} *`)).toHaveLength(1)
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    })
  })
})

test('one whose program was upgraded goes along all the same, as the new one', async () => {
  await inLab(async (lab) => {
    const place = [
      'sh',
      '-ec',
      'mkdir -p /run/own && cp "$1" /run/own/new && mv /run/own/new /run/own/busybox',
    ]
    const upgrade = (): Promise<string> => lab.ok('host', [...place, 'sh', tool('busybox')])
    await upgrade()
    await dhcpServer(lab)
    const words = ['udhcpc', '-f', '-s', '/bin/true', '-i', 'eth0']
    await lab.start('host', ['/run/own/busybox', ...words])
    const before = await theOnly(lab, '/run/own/busybox udhcpc *')
    await upgrade()
    await ok(lab, 'brup')
    expect(await theOnly(lab, '*udhcpc * br0 *')).not.toBe(before)
    await upgrade()
    expect(await ok(lab, 'brstatus')).not.toContain('drift')
    await ok(lab, 'brdown')
    expect(await processesLike(lab, '*udhcpc * br0 *')).toEqual([])
    await theOnly(lab, '/run/own/busybox udhcpc *')
  })
})

test('one whose program was removed ends with the bridge, and brdown says so', async () => {
  await inLab(async (lab) => {
    await lab.ok('host', [
      'sh',
      '-ec',
      'mkdir -p /run/own && cp "$1" /run/own/busybox',
      'sh',
      tool('busybox'),
    ])
    await dhcpServer(lab)
    await lab.start('host', ['/run/own/busybox', 'udhcpc', '-f', '-s', '/bin/true', '-i', 'eth0'])
    await theOnly(lab, '/run/own/busybox udhcpc *')
    const before = await snapshot(lab)
    await ok(lab, 'brup')
    await lab.ok('host', ['rm', '/run/own/busybox'])
    expect(await ok(lab, 'brstatus')).not.toContain('drift')
    const { exit, stderr } = await run(lab, 'brdown')
    const gone = 'brdown: /run/own/busybox is not there any more, and renews no lease of eth0\n'
    expect([exit, stderr]).toEqual([0, gone])
    expect(await processesLike(lab, '*udhcpc *')).toEqual([])
    expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
  })
})

// Ends at once on the bridge; by a path that is not its own everywhere else.
const failing = `#!/bin/sh
case " $* " in *' br0 '*) exit 1 ;; esac
exec /run/own/real/busybox "$@"
`

test('one that ends at once on a bridge that stays is not begun there any more after brdown', async () => {
  await inLab(async (lab) => {
    const make = 'mkdir -p /run/own/real && cp "$1" /run/own/busybox && cp "$1" /run/own/real'
    await lab.ok('host', ['sh', '-ec', make, 'sh', tool('busybox')])
    await lab.ip('host', ['link add br0 type bridge', 'link set br0 up'])
    await dhcpServer(lab)
    await lab.start('host', ['/run/own/busybox', 'udhcpc', '-f', '-s', '/bin/true', '-i', 'eth0'])
    await theOnly(lab, '/run/own/busybox udhcpc *')
    await ok(lab, 'brup')
    const pid = await theOnly(lab, '/run/own/busybox udhcpc *')
    const fail = 'cat >/run/own/new && chmod +x /run/own/new && mv /run/own/new /run/own/busybox'
    await lab.ok('host', ['sh', '-ec', fail], { input: failing })
    await lab.run('host', ['kill', '-9', pid])
    const drift = 'drift: missing: udhcpc of br0'
    await until('it has ended for a while', async () => (await ok(lab, 'brstatus')).includes(drift))
    expect(await processesLike(lab, keeper)).toHaveLength(1)
    await ok(lab, 'brdown')
    expect(await processesLike(lab, keeper)).toEqual([])
    await theOnly(lab, '/run/own/real/busybox udhcpc * eth0 *')
    expect(await lab.ok('host', ['ip', 'link', 'show', 'br0'])).toContain('br0')
  })
})

test('it does not end with the session or the service that brup was called from', async () => {
  const { words, pattern } = clients.udhcpc
  await inLeasedLab(words, { time: '1h' }, async ({ lab }) => {
    const group = `/sys/fs/cgroup/session-${process.pid}`
    const mounted = (script: string): readonly string[] => [
      ...['sh', '-ec', `mount -t cgroup2 none /sys/fs/cgroup && ${script}`],
      bin('brup'),
    ]
    await lab.ok('host', mounted(`mkdir ${group} && echo 0 >${group}/cgroup.procs && "$0"`))
    const cgroup = async (pid: string): Promise<string | undefined> =>
      /^0::(.*)$/m.exec((await lab.run('host', ['cat', `/proc/${pid}/cgroup`])).stdout)?.[1]
    const first = await cgroup('1')
    expect(first).toBeDefined()
    await until('it is where process 1 is', async () => (await cgroup(await theOnly(lab, pattern))) === first)
    // Nothing is left in it.
    await lab.ok('host', mounted(`rmdir ${group}`))
    await ok(lab, 'brdown')
  })
})

test('dhclient takes up no lease on the uplink that it remembers', async () => {
  const { words } = clients.dhclient
  await inLeasedLab(words, { time: '1h' }, async ({ lab }) => {
    const [address = ''] = await leased(lab, 'eth0')
    await ok(lab, 'brup')
    await lab.ok('host', ['tee', '/run/hasty.conf'], { input: 'timeout 3;\n' })
    const hasty = await dhcpClient(lab, [...words.slice(0, -1), '-d', '-cf', '/run/hasty.conf', 'eth0'])
    await hasty.waitFor(/Unable to obtain a lease|bound to|bound: renewal/, 30_000)
    expect(await leased(lab, 'eth0')).toEqual([])
    expect(await leased(lab, 'br0')).toEqual([address])
    await ok(lab, 'brdown')
    expect(await leased(lab, 'eth0')).toEqual([address])
    const leases = await lab.ok('host', ['cat', '/var/lib/dhcp/dhclient.eth0.leases'])
    expect(leases.slice(leases.lastIndexOf('lease {'))).not.toContain('expire 6 2000')
  })
}, 120_000)

test('what an ordinary user calls by such a name is left alone, and is not begun by root', async () => {
  await inLab(async (lab) => {
    const user = ['--reuid=65534', '--regid=65534', '--clear-groups']
    const make =
      'install -d -o 65534 /run/own && cp "$1" /run/own/dhclient && echo "sleep 1000" >/run/own/eth0'
    await lab.ok('host', ['sh', '-ec', make, 'sh', tool('perl')])
    const line = ['sh', '-c', 'cd /run/own && exec ./dhclient eth0']
    await lab.start('host', [tool('setpriv'), ...user, ...line])
    const pid = await theOnly(lab, './dhclient eth0 ')
    await ok(lab, 'brup')
    expect(await processesLike(lab, './dhclient *')).toEqual([Number(pid)])
    await ok(lab, 'brdown')
    expect(await processesLike(lab, '*dhclient *')).toEqual([Number(pid)])
  })
})

test('one that somebody would begin again is in the way', async () => {
  await inLab(async (lab) => {
    const line = ['exec', ...clientLine(['udhcpc', '-f', '-s', '/bin/true', '-i', 'eth0'])].join(' ')
    const make = 'mkdir -p /run/sv && tee /run/sv/run && chmod +x /run/sv/run'
    await lab.ok('host', ['sh', '-ec', make], { input: `#!/bin/sh\n${line}\n` })
    await lab.start('host', [unpackedProgram('runsv'), '/run/sv'])
    await theOnly(lab, '/*udhcpc *')
    const says =
      /^brup: udhcpc \(pid \d+\) manages eth0 and would put its addresses back there \(runsv would begin it again: /
    await expectEnding(lab, 'brup', { says })
  })
})

describe('a client that cannot be taken along is in the way', () => {
  const more = 'it looks after more than one link'
  const lines: readonly (readonly [readonly string[], string])[] = [
    [['dhclient', '-d', '-sf', '/bin/true', '-lf', '/run/d.leases', '-pf', '/run/d.pid'], more],
    [
      ['dhclient', '-d', '-sf', '/bin/true', '-lf', '/run/d.leases', '-pf', '/run/d.pid', 'eth0', 'eth1'],
      more,
    ],
    [['udhcpc', '-f', '-s', '/bin/true', '--inter=eth0'], 'it has an option that is not known'],
  ]
  test.each(lines.map(([words, reason]) => ({ words, reason, line: words.join(' ') })))(
    '$line',
    async ({ words, reason }) => {
      await inLab(async (lab) => {
        const [name = ''] = words
        await lab.ip('host', ['link add eth1 type veth peer name other', 'link set eth1 up'])
        await dhcpClient(lab, words, /DISCOVER|discover/)
        const says = new RegExp(
          `^brup: ${name} \\(pid \\d+\\) manages eth0 and would put its addresses back there ` +
            `\\(${reason}: begin one for eth0 alone, or stop it without releasing the lease\\)\\n$`,
        )
        await expectEnding(lab, 'brup', { says })
      })
    },
  )
})
