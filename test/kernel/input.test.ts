import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { openLab, type Lab } from '../lab/lab.ts'
import { reachable } from '../lab/reachable.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'
import { expectEnding } from '../helpers/refused.ts'
import { inLab, journals, ok, run } from '../helpers/tap.ts'

/** Bad input: nothing is touched, and the message names what is wrong. */

describe('is refused with 2', () => {
  let lab: Lab
  beforeAll(async () => {
    lab = await openLab()
  })
  afterAll(() => lab.close())

  const usage = (line: readonly string[], says: string): Promise<void> =>
    expectEnding(lab, line, { exit: 2, kind: 'usage', says })

  const names: readonly (readonly [string, string])[] = [
    ['', 'is empty'],
    ['a2345678901234567', 'is longer than 15 bytes'],
    ['ééééééééé', 'is longer than 15 bytes'],
    ['br 0', 'holds a blank, a slash or a colon'],
    ['br\t0', 'holds a blank, a slash or a colon'],
    ['br\n0', 'holds a blank, a slash or a colon'],
    ['br/0', 'holds a blank, a slash or a colon'],
    ['br:0', 'holds a blank, a slash or a colon'],
    ["br'0", 'holds what `ip -batch` reads as syntax'],
    ['br"0', 'holds what `ip -batch` reads as syntax'],
    ['br#0', 'holds what `ip -batch` reads as syntax'],
    ['br\\0', 'holds what `ip -batch` reads as syntax'],
    ['.', 'is no name'],
    ['..', 'is no name'],
    ['br\u00010', 'holds a control character'],
  ]
  test.each(names)('a bridge called %j', async (name, fault) => {
    await usage(['brup', name], `brup: bridge ${JSON.stringify(name)} ${fault}`)
  })

  test.each(['br%d', 'br%', '%s'])('a bridge called %j, a pattern to the kernel', async (name) => {
    const { exit, stderr } = await run(lab, ['brup', name])
    expect([exit, stderr]).toEqual([2, expect.stringContaining(`brup: bridge "${name}"`)])
    expect((await run(lab, ['brup', '--uplink', name])).exit).toBe(2)
  })

  test.each(['all', 'default'])(
    'a bridge called %s, which the kernel keeps for its settings',
    async (name) => {
      await expectEnding(lab, ['brup', name], {
        exit: 2,
        kind: 'usage',
        says: new RegExp(`bridge "${name}"`),
      })
    },
  )

  const lines: readonly (readonly [string, string])[] = [
    ['--', 'brup: bridge "-x" holds what `ip -batch` reads as syntax'],
    ['-x', 'brup: unknown option -x (see brup --help)'],
    ['br0 br1', 'brup: surplus argument "br1" (see brup --help)'],
    ['--quiet=yes', 'brup: --quiet takes no value'],
    ['--quiet --verbose', 'brup: --quiet and --verbose exclude each other'],
    ['--uplink', 'brup: --uplink needs a value (see brup --help)'],
    ['--uplink eth0 --uplink eth0', 'brup: --uplink is given more than once'],
    ['--check-gateway soon', 'brup: --check-gateway "soon" is not a whole number of seconds from 0 to 3600'],
    ['--gateway 192.168.1.1 --gateway 192.168.1.2', 'brup: --gateway 192.168.1.2 is a second one for IPv4'],
    [
      '--address 192.168.1.300/24',
      'brup: --address "192.168.1.300/24" is not an IP address with a prefix length (such as 192.168.1.5/24 or fd00::5/64)',
    ],
    [
      '--address 192.168.1.60',
      'brup: --address "192.168.1.60" has no prefix length (such as 192.168.1.5/24 or fd00::5/64)',
    ],
    ['--gateway ff02::1', 'brup: --gateway "ff02::1" is a multicast address'],
  ]
  test.each(lines)('%s', async (line, says) => {
    await usage(['brup', ...line.split(' '), ...(line === '--' ? ['-x'] : [])], says)
  })

  const unreachable: readonly (readonly [string, string])[] = [
    ['--gateway 10.0.0.1', '10.0.0.1 is in no subnet of br0 (192.168.1.0/24)'],
    ['--gateway fd02::1', 'fd02::1 is in no subnet of br0'],
    ['--address 10.0.0.5/24 --gateway 192.168.1.1', '192.168.1.1 is in no subnet of br0 (10.0.0.0/24)'],
  ]
  test.each(unreachable)('a gateway out of reach: %s', async (line, says) => {
    const pattern = new RegExp(`^brup: gateway ${says.replaceAll(/[.()]/g, '\\$&')}`)
    await expectEnding(lab, `brup ${line}`, { exit: 2, kind: 'usage', says: pattern })
  })

  test('an address that leaves the default route without a gateway', async () => {
    await expectEnding(lab, 'brup --address 10.0.0.5/24', {
      says: /^brup: 10\.0\.0\.5 does not reach what the route unicast 0\.0\.0\.0\/0 .* needs \(give --gateway\)\n$/,
    })
  })

  const configs: readonly (readonly [string, string])[] = [
    ['default_bridge = "br 0"\n', ':1: default_bridge "br 0" holds a blank, a slash or a colon'],
    ['\n\n[[bridge]]\nname = "br0"\nuplnk = "eth0"\n', ':5: unknown key bridge[1].uplnk'],
    ['[[bridge]]\nname = "br0"\naddress = ["1.2.3.4/24", "x"]\n', ':3: bridge[1].address[2]'],
    ['[[tap]]\nbridge = "br0"\n', ':1: tap[1].match is missing'],
    ['default_bridge = \n', ':1:'],
  ]
  test.each(configs)('a configuration with %j', async (text, says) => {
    await lab.ok('host', ['tee', '/run/bad.toml'], { input: text })
    const options = { env: { QEMU_TAP_HOOKS_CONFIG: '/run/bad.toml' } }
    const pattern = new RegExp(`/run/bad\\.toml${says.replaceAll(/[[\].*]/g, '\\$&')}`)
    await expectEnding(lab, 'brup', { exit: 2, kind: 'config', says: pattern, options })
    await expectEnding(lab, 'brdown --config /run/bad.toml', { exit: 2, kind: 'config', says: pattern })
    const hook = await run(lab, 'qemu-ifup tap0', options)
    expect([hook.exit, hook.stdout, hook.stderr]).toEqual([2, '', expect.stringMatching(pattern)])
  })

  test('a configuration that does not exist', async () => {
    const says = 'brup: configuration file /run/none.toml does not exist'
    await expectEnding(lab, 'brup --config /run/none.toml', { exit: 2, kind: 'config', says })
  })
})

describe('--address and --gateway', () => {
  interface Told {
    readonly line: string
    readonly addresses: readonly string[]
    readonly via?: string
    /** The router's own, so that the host can be reached there. */
    readonly router?: string
  }
  const told: readonly Told[] = [
    { line: '--address 192.168.1.60/24', addresses: ['192.168.1.60/24', 'fd01::50/64'] },
    { line: '--address fd01::60/64', addresses: ['192.168.1.50/24', 'fd01::60/64'] },
    {
      line: '--address 192.168.1.60/24 --address 192.168.1.61/24 --address fd01::60/64 --gateway 192.168.1.1',
      addresses: ['192.168.1.60/24', '192.168.1.61/24', 'fd01::60/64'],
    },
    {
      line: '--address 10.9.0.5/24 --gateway 10.9.0.1',
      addresses: ['10.9.0.5/24', 'fd01::50/64'],
      via: '10.9.0.1',
      router: '10.9.0.1/24',
    },
    {
      line: '--gateway 192.168.1.2',
      addresses: ['192.168.1.50/24', 'fd01::50/64'],
      via: '192.168.1.2',
      router: '192.168.1.2/24',
    },
  ]
  test.each(told)('$line', async ({ line, addresses, via = '192.168.1.1', router }) => {
    await inLab(async (lab) => {
      if (router !== undefined) await lab.ip('router', `addr add ${router} dev e0`)
      const before = await snapshot(lab)
      await ok(lab, `brup ${line}`)
      const shown = await lab.ok('host', ['ip', '-o', 'addr', 'show', 'dev', 'br0', 'scope', 'global'])
      expect([...shown.matchAll(/inet6? (\S+)/g)].map(([, cidr]) => cidr).sort()).toEqual(
        [...addresses].sort(),
      )
      expect(await lab.ok('host', ['ip', 'route', 'show', 'default'])).toBe(`default via ${via} dev br0 \n`)
      await lab.ok('host', ['ping', '-c1', '-W2', '203.0.113.9'])
      await lab.ok('host', ['ping', '-c1', '-W2', 'fd99::9'])
      await ok(lab, 'brdown')
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
      expect(await reachable(lab)).toEqual([])
    })
  })

  test('an on-link gateway outside every subnet goes with its route', async () => {
    await inLab(async (lab) => {
      await lab.ip('host', ['route del default', 'route add default via 10.7.0.1 dev eth0 onlink'])
      await lab.ip('router', ['addr add 10.7.0.1/32 dev e0', 'addr add 10.7.0.2/32 dev e0'])
      const before = await snapshot(lab)
      await ok(lab, 'brup --gateway 10.7.0.2')
      expect(await lab.ok('host', ['ip', 'route', 'show', 'default'])).toBe(
        'default via 10.7.0.2 dev br0 onlink \n',
      )
      await ok(lab, 'brdown')
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    })
  })

  test('from the configuration', async () => {
    await inLab(async (lab) => {
      const input =
        '[[bridge]]\nname = "br5"\nuplink = "eth0"\naddress = ["192.168.1.65/24"]\ncheck_gateway = 0\n'
      await lab.ok('host', ['tee', '/run/good.toml'], { input: `default_bridge = "br5"\n${input}` })
      const before = await snapshot(lab)
      await ok(lab, 'brup --config /run/good.toml')
      expect(await lab.ok('host', ['ip', '-o', '-4', 'addr', 'show', 'dev', 'br5'])).toContain(
        '192.168.1.65/24',
      )
      await ok(lab, 'brdown --config /run/good.toml')
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
      expect(await journals(lab)).toBe('')
    })
  })
})
