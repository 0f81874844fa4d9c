import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { openLab, type Lab } from '../lab/lab.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'
import { tool } from '../lab/tools.ts'
import { bin, holdTap, inLab, linkOf, ok, run } from '../helpers/tap.ts'

/** qemu-ifup and qemu-ifdown on real taps. */

const quiet = { exit: 0, stdout: '', stderr: '' }
const refused = (hook: string, says: string): object => ({
  exit: 3,
  stdout: '',
  stderr: `${hook}: ${says}\n`,
})
const ifup = (says: string): object => refused('qemu-ifup', says)
const noBridge = (name: string): object => ifup(`tap0: bridge ${name} does not exist (run brup first)`)

/** Taps that nobody holds: what most of the tests need. */
const newTap = (lab: Lab, ...names: readonly string[]): Promise<string> =>
  lab.ip(
    'host',
    names.map((name) => `tuntap add ${name} mode tap`),
  )

describe('a guest starts and ends', () => {
  test.each([1500, 9000, 1400])('on a bridge with MTU %i', async (mtu) => {
    await inLab(async (lab) => {
      // A link that changed its MTU has another queue length limit: only the host's own MTU is in the snapshot.
      await lab.ip('router', `link set e0 mtu ${mtu}`)
      await lab.ip('host', `link set eth0 mtu ${mtu}`)
      await ok(lab, 'brup')
      const before = await linkOf(lab, 'br0')
      const { running, pid } = await holdTap(lab, 'tap0')
      const mac = (await linkOf(lab, 'tap0'))?.address ?? ''

      expect(await run(lab, 'qemu-ifup tap0')).toEqual(quiet)
      const tap = await linkOf(lab, 'tap0')
      expect(tap).toMatchObject({ master: 'br0', mtu, address: `fe${mac.slice(2)}` })
      expect(tap?.flags).toContain('LOWER_UP')
      expect(await lab.ok('host', ['ip', '-6', 'addr', 'show', 'dev', 'tap0'])).toBe('')
      expect(await linkOf(lab, 'br0')).toEqual(before)
      expect(await ok(lab, 'brstatus')).toContain(`port tap0 (tap), pid ${pid} perl`)

      expect(await run(lab, 'qemu-ifdown tap0')).toEqual(quiet)
      const after = await linkOf(lab, 'tap0')
      expect([after?.master, after?.flags.includes('UP')]).toEqual([undefined, false])
      expect(await linkOf(lab, 'br0')).toEqual(before)
      running.kill('SIGKILL')
      await running.exited
    })
  })

  test('a second time, and each hook twice', async () => {
    await inLab(async (lab) => {
      await ok(lab, 'brup')
      await holdTap(lab, 'tap0')
      for (const hook of ['ifup', 'ifup', 'ifdown', 'ifdown', 'ifup']) {
        expect(await run(lab, `qemu-${hook} tap0`)).toEqual(quiet)
        expect((await linkOf(lab, 'tap0'))?.master).toBe(hook === 'ifup' ? 'br0' : undefined)
      }
    })
  })
})

describe('which bridge', () => {
  const config = `default_bridge = "br-default"
[[tap]]
match = "lab-*"
bridge = "br-lab"
[[tap]]
match = "*1"
bridge = "br-one"
`
  const bridges = ['br0', 'br10', 'br-default', 'br-lab', 'br-one', 'br-env']
  const file = '/run/config.toml'
  let lab: Lab
  beforeAll(async () => {
    lab = await openLab()
    await lab.ip(
      'host',
      bridges.map((name) => `link add ${name} type bridge`),
    )
    await lab.ok('host', ['tee', file], { input: config })
    await lab.ok('host', ['ln', '-s', bin('qemu-ifup'), '/run/qemu-ifup.br10'])
  })
  afterAll(() => lab.close())

  const own = { QEMU_TAP_HOOKS_CONFIG: file }
  const env = { QEMU_TAP_BRIDGE: 'br-env' }
  const cases = [
    { what: 'br0 without any configuration', tap: 'tap0', env: {}, hook: bin('qemu-ifup'), bridge: 'br0' },
    { what: 'the default bridge', tap: 'tap1x', env: own, hook: bin('qemu-ifup'), bridge: 'br-default' },
    { what: 'a rule', tap: 'lab-a', env: own, hook: bin('qemu-ifup'), bridge: 'br-lab' },
    { what: 'the first rule of two', tap: 'lab-1', env: own, hook: bin('qemu-ifup'), bridge: 'br-lab' },
    { what: 'a later rule', tap: 'tap1', env: own, hook: bin('qemu-ifup'), bridge: 'br-one' },
    { what: 'the symlink', tap: 'lab-b', env: own, hook: '/run/qemu-ifup.br10', bridge: 'br10' },
    {
      what: 'the environment',
      tap: 'lab-c',
      env: { ...own, ...env },
      hook: '/run/qemu-ifup.br10',
      bridge: 'br-env',
    },
    {
      what: 'an empty variable',
      tap: 'tap2',
      env: { QEMU_TAP_BRIDGE: '' },
      hook: bin('qemu-ifup'),
      bridge: 'br0',
    },
  ]
  test.each(cases)('$what', async ({ tap, env: given, hook, bridge }) => {
    await newTap(lab, tap)
    expect(await lab.run('host', [hook, tap], { env: given })).toEqual(quiet)
    expect((await linkOf(lab, tap))?.master).toBe(bridge)
  })

  test('a name that is none', async () => {
    await newTap(lab, 'tap5')
    const { exit, stdout, stderr } = await run(lab, 'qemu-ifup tap5', { env: { QEMU_TAP_BRIDGE: 'br 0' } })
    expect([exit, stdout, stderr]).toEqual([
      2,
      '',
      'qemu-ifup: QEMU_TAP_BRIDGE "br 0" holds a blank, a slash or a colon\n',
    ])
    expect((await linkOf(lab, 'tap5'))?.master).toBeUndefined()
  })
})

describe('qemu-ifup refuses', () => {
  const cases = [
    { what: 'a bridge that is missing', given: ['link del br0'], says: noBridge('br0') },
    {
      what: 'a bridge that is none',
      given: ['link del br0', 'link add br0 type ifb'],
      says: ifup('tap0: br0 is no bridge (name another in the configuration)'),
    },
    {
      what: 'a tap that is missing',
      given: ['tuntap del tap0 mode tap'],
      says: ifup('tap0: there is no such link (QEMU makes it; give its name)'),
    },
    ...['link add tap0 type veth peer name v1', 'tuntap add tap0 mode tun', 'link add tap0 type bridge'].map(
      (line) => ({
        what: `what is no tap: ${line}`,
        given: ['tuntap del tap0 mode tap', line],
        says: ifup('tap0 is no tap (only a tap joins a bridge here)'),
      }),
    ),
    {
      what: 'a tap of another bridge',
      given: ['link add br7 type bridge', 'link set tap0 master br7'],
      says: ifup('tap0 is already a port of br7 (take it out first: ip link set tap0 nomaster)'),
    },
  ]
  test.each(cases)('$what', async ({ given, says }) => {
    await inLab(async (lab) => {
      await lab.ip('host', ['link add br0 type bridge', 'tuntap add tap0 mode tap', ...given])
      const before = await snapshot(lab)
      expect(await run(lab, 'qemu-ifup tap0')).toEqual(says)
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    })
  })

  test('an ordinary user', async () => {
    await inLab(async (lab) => {
      await lab.ip('host', ['link add br0 type bridge', 'tuntap add tap0 mode tap'])
      const user = [tool('setpriv'), '--reuid=65534', '--regid=65534', '--clear-groups']
      const needs = 'this needs root, or CAP_NET_ADMIN in this network namespace'
      for (const hook of ['qemu-ifup', 'qemu-ifdown'] as const)
        expect(await lab.run('host', [...user, bin(hook), 'tap0'])).toEqual(
          refused(hook, `${needs} (sudo ${hook})`),
        )
      expect((await linkOf(lab, 'tap0'))?.master).toBeUndefined()
    })
  })

  test('wrong usage, in one line', async () => {
    await inLab(async (lab) => {
      for (const words of [[], ['tap0', 'tap1'], ['tap 0'], ['--force', 'tap0'], ['tap0\nx']]) {
        const { exit, stdout, stderr } = await run(lab, ['qemu-ifup', ...words])
        expect([exit, stdout, stderr]).toEqual([2, '', expect.stringMatching(/^qemu-ifup: [^\n]+\n$/)])
      }
    })
  })
})

describe('qemu-ifdown', () => {
  test('a tap that is gone, with its QEMU', async () => {
    await inLab(async (lab) => {
      expect(await run(lab, 'qemu-ifdown tap0')).toEqual(quiet)
    })
  })

  test('touches nothing but a tap', async () => {
    await inLab(async (lab) => {
      const before = await snapshot(lab)
      const says = 'eth0 is no tap (only a tap joins a bridge here)'
      expect(await run(lab, 'qemu-ifdown eth0')).toEqual(refused('qemu-ifdown', says))
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    })
  })

  test('a tap on another bridge than configured', async () => {
    await inLab(async (lab) => {
      await newTap(lab, 'tap0')
      await lab.ip('host', ['link add br7 type bridge', 'link set tap0 master br7 up'])
      expect(await run(lab, 'qemu-ifdown tap0')).toEqual(quiet)
      expect((await linkOf(lab, 'tap0'))?.master).toBeUndefined()
    })
  })
})
