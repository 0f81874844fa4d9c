import { expect, test } from 'vitest'

import { bin, faultyIp, shot } from '../helpers/faults.ts'
import { inLab, linkOf, until } from '../helpers/tap.ts'
import { reachable } from '../lab/reachable.ts'
import { diffSnapshots } from '../lab/snapshot.ts'

/** The rules that name eth0 have become br0's by then. */
const afterSwitch = 27

test('a bridge that somebody deletes in the middle of brup leaves no rule behind', async () => {
  await inLab(async (lab) => {
    await lab.ip('host', ['rule add oif eth0 pref 50 table 200', 'rule add iif eth0 pref 60 table 200'])
    const before = await shot(lab)
    const faulty = await faultyIp(lab)
    const running = await faulty.start(['brup'], { kind: 'gate', at: afterSwitch })
    await until('the gate', () => Promise.resolve(faulty.hit() !== ''))
    expect((await linkOf(lab, 'eth0'))?.master).toBe('br0')
    expect(await lab.ok('host', ['ip', 'rule'])).toContain('oif br0')
    await lab.ip('host', 'link del br0')
    faulty.open()
    const { exit } = await running.exited
    await running.closed
    expect([exit, running.stderr()]).toEqual([1, expect.stringContaining('; everything was put back\n')])
    expect(diffSnapshots(before, await shot(lab))).toEqual([])
    expect(await reachable(lab)).toEqual([])
  })
})

/** `link set dev eth0 nomaster`; after it only the bridge's deletion is left in that batch. */
const leaving = 11

test('a rule that forbids what goes out by the uplink keeps no route from coming back', async () => {
  await inLab(async (lab) => {
    await lab.ip('host', 'rule add oif eth0 pref 50 unreachable')
    await lab.ok('host', [bin('brup')])
    const raised = await shot(lab)
    const faulty = await faultyIp(lab)
    // The command and its watchdog are killed, and its `ip` goes on: the bridge is gone, and its rule is still there.
    await faulty.run(['brdown'], { kind: 'linger', at: leaving })
    expect(faulty.hit()).toBe('link set dev eth0 nomaster')
    await until('the deletion', async () => (await linkOf(lab, 'br0')) === undefined)
    expect(await lab.ok('host', ['ip', 'rule'])).toContain('oif br0 [detached] unreachable')
    const { exit, stderr } = await lab.run('host', [bin('brup')])
    expect([exit, stderr]).toEqual([0, 'brup: br0: taking back what an unfinished brdown left\n'])
    expect(diffSnapshots(raised, await shot(lab))).toEqual([])
    expect(await reachable(lab)).toEqual([])
  })
})

test('a rule that leads to a table of its own keeps no route of that table from coming back', async () => {
  await inLab(async (lab) => {
    await lab.ip('host', 'route add ::/0 via fd01::1 dev eth0 table 100')
    await lab.ok('host', ['ip', '-6', 'rule', 'add', 'oif', 'eth0', 'pref', '60', 'table', '100'])
    await lab.ok('host', [bin('brup')])
    const raised = await shot(lab)
    const table = (): Promise<string> => lab.ok('host', ['ip', '-6', 'route', 'show', 'table', '100'])
    const faulty = await faultyIp(lab)
    // The command and its watchdog are killed, and its `ip` goes on up to the switch.
    await faulty.run(['brdown'], { kind: 'signal', signal: 'KILL', at: 1 })
    await until('the copy', async () => (await table()).includes('dev eth0'))
    const { exit, stderr } = await lab.run('host', [bin('brup')])
    expect([exit, stderr]).toEqual([0, 'brup: br0: taking back what an unfinished brdown left\n'])
    expect(diffSnapshots(raised, await shot(lab))).toEqual([])
  })
})
