import { expect, test } from 'vitest'

import { expectEnding } from '../helpers/refused.ts'
import { inLab, linkOf, ok, run } from '../helpers/tap.ts'
import type { Lab } from '../lab/lab.ts'
import { reachable } from '../lab/reachable.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'

/** `--all`: every bridge of the configuration, in order, each a transaction of its own. */

const file = '/run/config.toml'

const config = `
[[bridge]]
name = "br0"
uplink = "eth0"
[[bridge]]
name = "br10"
uplink = false
address = ["192.168.10.1/24"]
[[bridge]]
name = "br20"
nat = true
address = ["192.168.20.1/24", "fd20::1/64"]
dhcp_range = "192.168.20.50,192.168.20.59"
`

const write = (lab: Lab, text: string): Promise<string> => lab.ok('host', ['tee', file], { input: text })

test('raises every bridge, and takes them down again, the last one first', async () => {
  await inLab(async (lab) => {
    await write(lab, config)
    const before = await snapshot(lab)
    const up = ['br0 is up, with the uplink eth0', 'br10 is up, without an uplink', 'br20 is up, with NAT']
    expect(await ok(lab, `brup --all --config ${file}`)).toBe(`${up.join('\n')}\n`)
    expect(await reachable(lab)).toEqual([])
    const again = JSON.parse(await ok(lab, `brup --all --json --config ${file}`)) as Record<string, unknown>
    expect(again).toMatchObject({
      exit: 0,
      bridge: null,
      bridges: [
        { bridge: 'br0', uplink: 'eth0', steps: [] },
        { bridge: 'br10', uplink: null, nat: false, steps: [] },
        { bridge: 'br20', uplink: null, nat: true, steps: [] },
      ],
    })
    const down = ['br20 is down', 'br10 is down', 'br0 is down; eth0 is as it was before']
    expect(await ok(lab, `brdown --all --config ${file}`)).toBe(`${down.join('\n')}\n`)
    expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    expect(await ok(lab, `brdown --all --quiet --config ${file}`)).toBe('')
  })
})

test('stops at the first that does not go up; what is up stays', async () => {
  await inLab(async (lab) => {
    await write(lab, config.replace('192.168.10.1/24', '192.168.1.77/24'))
    const { exit, stdout, stderr } = await run(lab, `brup --all --config ${file}`)
    expect({ exit, stdout }).toEqual({ exit: 3, stdout: 'br0 is up, with the uplink eth0\n' })
    expect(stderr).toMatch(
      /^brup: 192\.168\.1\.0\/24 overlaps 192\.168\.1\.50\/24, an address of br0 .*\nbrup: not attempted: br20\n$/,
    )
    expect((await linkOf(lab, 'eth0'))?.master).toBe('br0')
    const json = await run(lab, `brup --all --json --config ${file}`)
    expect(JSON.parse(json.stdout)).toMatchObject({
      exit: 3,
      bridge: 'br10',
      error: { kind: 'refused' },
      bridges: [
        { bridge: 'br0', exit: 0 },
        { bridge: 'br10', exit: 3, error: { kind: 'refused' } },
      ],
      notAttempted: ['br20'],
    })
    await ok(lab, `brdown --all --config ${file}`)
  })
})

test('says what is wrong with a later one before the first is raised', async () => {
  await inLab(async (lab) => {
    await write(lab, config.replace('192.168.20.59"', '192.168.21.59"'))
    await expectEnding(lab, `brup --all --config ${file}`, {
      exit: 2,
      kind: 'usage',
      says: /^brup: br20: 192\.168\.20\.50,192\.168\.21\.59 is in no subnet of it /,
    })
  })
})

test('takes every one down that can be, past one that is somebody else’s', async () => {
  await inLab(async (lab) => {
    await write(lab, config)
    const before = await snapshot(lab)
    await ok(lab, `brup br0 --config ${file}`)
    await lab.ip('host', 'link add br10 type bridge')
    const { exit, stdout, stderr } = await run(lab, `brdown --all --config ${file}`)
    expect({ exit, stdout }).toEqual({
      exit: 3,
      stdout: expect.stringMatching(
        /^br20 is not there.*\nbr0 is down; eth0 is as it was before\n$/,
      ) as string,
    })
    expect(stderr).toMatch(/^brdown: br10 was not raised by brup /)
    await lab.ip('host', 'link del br10')
    expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
  })
})

test('without bridges in the configuration is wrong usage', async () => {
  await inLab(async (lab) => {
    await expectEnding(lab, 'brup --all', {
      exit: 2,
      kind: 'usage',
      says: /the configuration has no bridges/,
    })
  })
})
