import { describe, expect, test } from 'vitest'

import { faultyIp } from '../helpers/faults.ts'
import { expectEnding } from '../helpers/refused.ts'
import { bin, holdTap, inLab, linkOf, ok, run, until } from '../helpers/tap.ts'
import { startGuest, type Guest } from '../lab/guest.ts'
import type { Lab } from '../lab/lab.ts'

/** How a bridge treats the port of a guest: `[[tap]]` and `isolated` in the configuration. */

const file = '/run/config.toml'
const options = { env: { QEMU_TAP_HOOKS_CONFIG: file } }

const configure = async (lab: Lab, text: string): Promise<void> => {
  await lab.ok('host', ['tee', file], { input: text })
}

interface PortView {
  readonly isolated: boolean
  readonly hairpin: boolean
  readonly learning: boolean
  readonly flood: boolean
}

const usual: PortView = { isolated: false, hairpin: false, learning: true, flood: true }

/** As the kernel has it. */
async function portOf(lab: Lab, tap: string): Promise<PortView> {
  const shown = await lab.ok('host', ['ip', '-d', '-j', 'link', 'show', 'dev', tap])
  const [link] = JSON.parse(shown) as { linkinfo: { info_slave_data: PortView } }[]
  const { isolated, hairpin, learning, flood } = link?.linkinfo.info_slave_data ?? usual
  return { isolated, hairpin, learning, flood }
}

/** MAC addresses that the bridge was told are behind it. */
async function fixed(lab: Lab, tap: string): Promise<readonly string[]> {
  const shown = await lab.ok('host', ['bridge', '-j', 'fdb', 'show', 'brport', tap])
  const entries = JSON.parse(shown) as { mac: string; state: string; master?: string }[]
  return entries
    .filter(({ state, master }) => state === 'static' && master !== undefined)
    .map(({ mac }) => mac)
}

const mac = '52:54:00:00:00:01'

const treated = `
[[bridge]]
name = "br0"
isolated = true
[[tap]]
match = "tap0"
mac = "${mac}"
hairpin = true
[[tap]]
match = "free*"
isolated = false
`

const special: PortView = { isolated: true, hairpin: true, learning: false, flood: false }

describe('a tap is treated', () => {
  test('as its rule and its bridge say', async () => {
    await inLab(async (lab) => {
      await configure(lab, treated)
      await ok(lab, 'brup', options)
      for (const tap of ['tap0', 'tap1', 'free0']) {
        await holdTap(lab, tap)
        expect(await run(lab, `qemu-ifup ${tap}`, options)).toEqual({ exit: 0, stdout: '', stderr: '' })
        expect((await linkOf(lab, tap))?.master).toBe('br0')
      }
      expect([await portOf(lab, 'tap0'), await fixed(lab, 'tap0')]).toEqual([special, [mac]])
      expect(await portOf(lab, 'tap1')).toEqual({ ...usual, isolated: true })
      expect([await portOf(lab, 'free0'), await fixed(lab, 'free0')]).toEqual([usual, []])
      expect(await portOf(lab, 'eth0')).toEqual(usual)
    })
  })

  test('anew by a second hook, where the configuration has changed', async () => {
    await inLab(async (lab) => {
      await configure(lab, treated)
      await ok(lab, 'brup', options)
      await holdTap(lab, 'tap0')
      await ok(lab, 'qemu-ifup tap0', options)
      await configure(lab, '')
      await ok(lab, 'qemu-ifup tap0', options)
      expect([await portOf(lab, 'tap0'), await fixed(lab, 'tap0')]).toEqual([usual, []])
    })
  })

  test('as before, where it is put back after a brdown --force that failed', async () => {
    await inLab(async (lab) => {
      await configure(lab, treated)
      await ok(lab, 'brup', options)
      await holdTap(lab, 'tap0')
      await ok(lab, 'qemu-ifup tap0', options)
      const faulty = await faultyIp(lab)
      for (let at = 2; at < 6; at += 1) {
        const { exit } = await faulty.run(['brdown', '--force'], { kind: 'refuse', at })
        expect(exit).toBe(1)
        expect((await linkOf(lab, 'tap0'))?.master).toBe('br0')
        expect([await portOf(lab, 'tap0'), await fixed(lab, 'tap0')]).toEqual([special, [mac]])
      }
    })
  })

  test('as before, by a brup that attaches it again', async () => {
    await inLab(async (lab) => {
      await configure(lab, treated)
      await holdTap(lab, 'tap0')
      const trial = await lab.start('host', [bin('brup'), '--try', '30'], options)
      await until('the trial has begun', () => Promise.resolve(trial.stderr().includes('is on trial')))
      await ok(lab, 'qemu-ifup tap0', options)
      trial.kill('SIGTERM')
      expect((await trial.exited).exit).toBe(143)
      expect((await linkOf(lab, 'tap0'))?.master).toBeUndefined()
      await ok(lab, 'brup', options)
      expect([await portOf(lab, 'tap0'), await fixed(lab, 'tap0')]).toEqual([special, [mac]])
    })
  })
})

describe('what cannot be had is refused by name', () => {
  test.each([
    ['pvid = 10', 'pvid'],
    ['trunk = [10, 20]', 'trunk'],
  ])('%s on a bridge that does not look at VLAN tags', async (line, key) => {
    await inLab(async (lab) => {
      await configure(lab, `[[tap]]\nmatch = "tap0"\n${line}\n`)
      await ok(lab, 'brup')
      await holdTap(lab, 'tap0')
      const { exit, stderr } = await run(lab, 'qemu-ifup tap0', options)
      expect([exit, stderr]).toEqual([
        3,
        `qemu-ifup: tap0: ${key} needs a bridge that looks at VLAN tags, and br0 does not (ip link set br0 type bridge vlan_filtering 1, where the kernel can)\n`,
      ])
      expect((await linkOf(lab, 'tap0'))?.master).toBeUndefined()
    })
  })
})

test('a hook that fails on the way leaves its tap on no bridge', async () => {
  await inLab(async (lab) => {
    await configure(lab, treated)
    await ok(lab, 'brup', options)
    await holdTap(lab, 'tap0')
    const path = `${lab.dir}/bridge`
    await lab.ok('host', [
      'sh',
      '-c',
      `printf '#!/bin/sh\\necho broken >&2; exit 1\\n' >${path}; chmod +x ${path}`,
    ])
    const mount = `mount --bind ${path} "$(readlink -f /usr/sbin/bridge)"; exec "$@"`
    const words = ['unshare', '--mount', 'sh', '-ec', mount, 'sh', bin('qemu-ifup'), 'tap0']
    const { exit, stderr } = await lab.run('host', words, options)
    expect([exit, stderr]).toEqual([1, expect.stringMatching(/^qemu-ifup: .*broken\n$/)])
    expect((await linkOf(lab, 'tap0'))?.master).toBeUndefined()
  })
})

describe('the bridge itself', () => {
  const raised = async (lab: Lab, text: string): Promise<void> => {
    await configure(lab, text)
    await ok(lab, 'brup br10', options)
  }
  const details = async (lab: Lab, name: string): Promise<{ mtu: number; stp: number }> => {
    const shown = await lab.ok('host', ['ip', '-d', '-j', 'link', 'show', 'dev', name])
    const [link] = JSON.parse(shown) as {
      mtu: number
      linkinfo: { info_data: { stp_state: number } }
    }[]
    return { mtu: link?.mtu ?? 0, stp: link?.linkinfo.info_data.stp_state ?? -1 }
  }

  test('has the MTU and the STP that the configuration gives, and so have its taps', async () => {
    await inLab(async (lab) => {
      const text = '[[bridge]]\nname = "br10"\nuplink = false\nmtu = 9000\nstp = true\n'
      await raised(lab, `${text}[[tap]]\nmatch = "*"\nbridge = "br10"\n`)
      expect(await details(lab, 'br10')).toEqual({ mtu: 9000, stp: 1 })
      await holdTap(lab, 'tap0')
      await ok(lab, 'qemu-ifup tap0', options)
      expect((await linkOf(lab, 'tap0'))?.mtu).toBe(9000)
      expect((await details(lab, 'br10')).mtu).toBe(9000)
      expect(await ok(lab, 'brstatus br10', options)).not.toContain('drift')
      await lab.ip('host', 'link set br10 type bridge stp_state 0')
      expect(await ok(lab, 'brstatus br10', options)).toContain('drift: different: link br10 stp is false')
      expect(await ok(lab, 'brup br10', options)).toBe('br10 is up again, without an uplink\n')
      expect(await details(lab, 'br10')).toEqual({ mtu: 9000, stp: 1 })
      await configure(lab, '[[bridge]]\nname = "br10"\nuplink = false\nmtu = 1500\n')
      await expectEnding(lab, 'brup br10', {
        says: 'brup: br10 is up with an MTU of 9000, not 1500 (run brdown br10 first)',
        options,
      })
    })
  })

  test('with an uplink has no more than that', async () => {
    await inLab(async (lab) => {
      await configure(lab, '[[bridge]]\nname = "br0"\nmtu = 1501\n')
      await expectEnding(lab, 'brup', {
        says: 'brup: eth0 has an MTU of 1500, and br0 is to have 1501 (ip link set eth0 mtu 1501)',
        options,
      })
      await configure(lab, '[[bridge]]\nname = "br0"\nmtu = 1279\n')
      await expectEnding(lab, 'brup', {
        says: 'brup: eth0 has IPv6, which needs an MTU of 1280 or more (change mtu)',
        options,
      })
      await configure(lab, '[[bridge]]\nname = "br0"\nmtu = 1400\n')
      await ok(lab, 'brup', options)
      expect(await details(lab, 'br0')).toEqual({ mtu: 1400, stp: 0 })
      expect(await ok(lab, 'brstatus', options)).not.toContain('drift')
      await ok(lab, 'brdown')
    })
  })
})

test('isolated guests reach the host and nobody on their bridge', async () => {
  await inLab(async (lab) => {
    await configure(
      lab,
      '[[bridge]]\nname = "br10"\nuplink = false\nisolated = true\naddress = ["192.168.30.1/24"]\n[[tap]]\nmatch = "*"\nbridge = "br10"\n',
    )
    await ok(lab, 'brup br10', options)
    const start = (host: number): Promise<Guest> =>
      startGuest(lab, {
        name: `g${host}`,
        mac: `52:54:00:00:00:0${host}`,
        tap: `tap${host}`,
        ip: `192.168.30.${host}/24`,
        hooks: { up: bin('qemu-ifup'), down: bin('qemu-ifdown') },
        env: options.env,
      })
    const [one, two] = await Promise.all([start(2), start(3)])
    await Promise.all([one.ready(), two.ready()])
    expect((await one.run('ping -c1 -W3 192.168.30.1')).exit).toBe(0)
    expect((await two.run('ping -c1 -W3 192.168.30.1')).exit).toBe(0)
    expect((await one.run('ping -c1 -W2 192.168.30.3')).exit).not.toBe(0)
    await lab.ip('host', 'link set tap3 type bridge_slave isolated off')
    // The first ones may still wait for the answer that the bridge kept from it.
    expect((await one.run('ping -c5 -W3 192.168.30.3')).exit).toBe(0)
  })
})
