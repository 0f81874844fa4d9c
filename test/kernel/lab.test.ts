import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { describe, expect, test } from 'vitest'

import { processesLike } from '../helpers/watchdog.ts'
import { ownNamespace, startKeeper } from '../lab/keeper.ts'
import { openLab, type Lab, type LabOptions } from '../lab/lab.ts'
import { reachable } from '../lab/reachable.ts'
import { withoutDad } from '../lab/settle.ts'
import { normalise } from '../lab/snapshot.ts'
import { tool } from '../lab/tools.ts'
import { nodes } from '../lab/topology.ts'

// Root can play both; an ordinary user is one already.
const users = process.getuid?.() === 0 ? (['root', 'user'] as const) : (['user'] as const)

async function inLab(options: LabOptions, work: (lab: Lab) => Promise<void>): Promise<void> {
  const lab = await openLab(options)
  try {
    await work(lab)
  } finally {
    await lab.close()
  }
}

const namespaceOf = async (lab: Lab, node: (typeof nodes)[number]): Promise<string> =>
  (await lab.ok(node, ['readlink', '/proc/self/ns/net'])).trim()

/** The network namespaces of all processes that we may look at. */
const namespacesInUse = (): Set<string> => {
  const found = new Set<string>()
  for (const name of readdirSync('/proc').filter((each) => /^\d+$/.test(each))) {
    try {
      found.add(readlinkSync(`/proc/${name}/ns/net`))
    } catch {
      // Ended meanwhile, or another user's.
    }
  }
  return found
}

const machineState = (): string =>
  [['addr'], ['-4', 'route', 'show', 'table', 'all'], ['-6', 'route', 'show', 'table', 'all'], ['rule']]
    .map((words) => execFileSync(tool('ip'), ['-o', ...words], { encoding: 'utf8' }))
    .join('')
    .split('\n')
    .map(normalise)
    .join('\n')

async function eventually(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 5000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not within 5 s: ${what}`)
    await delay(5)
  }
}

describe.each(users)('a lab as %s', (user) => {
  const asUser = user === 'user'

  test('has a host, a router and an outside that reach each other', async () => {
    await inLab({ asUser }, async (lab) => {
      expect(await reachable(lab)).toEqual([])
      await lab.ip('host', 'route del default')
      expect(await reachable(lab)).toEqual(['outside > host IPv4', 'host > outside IPv4'])
    })
  })

  test('shows each node its own /sys, and nothing of the machine in /run and among the processes', async () => {
    await inLab({ asUser }, async (lab) => {
      expect(await lab.ok('host', ['ls', '/sys/class/net'])).toBe('eth0\nlo\n')
      expect(await lab.ok('host', ['ls', '/run'])).toBe('netns\n')
      const processes = await lab.ok('host', ['sh', '-c', 'ls -d /proc/[0-9]* | wc -l'])
      expect(Number(processes)).toBeLessThan(8)
    })
  })

  test('remembers leases and connections by itself: /var/lib is its own, and the same for all its commands', async () => {
    await inLab({ asUser }, async (lab) => {
      await lab.ok('host', ['touch', '/var/lib/dhcp/qemu-tap-hooks-lab'])
      await lab.ok('host', ['test', '-e', '/var/lib/dhcp/qemu-tap-hooks-lab'])
      expect(existsSync('/var/lib/dhcp/qemu-tap-hooks-lab')).toBe(false)
    })
  })

  test('finds processes by their command line, and not the search itself', async () => {
    await inLab({ asUser }, async (lab) => {
      const { pid } = await lab.start('host', ['sleep', '3600'])
      expect(await processesLike(lab, '*sleep 3600 ')).toHaveLength(1)
      expect(await processesLike(lab, '*sleep 360*')).toHaveLength(1)
      process.kill(pid)
    })
  })

  test('cannot write to the machine’s /etc', async () => {
    await inLab({ asUser }, async (lab) => {
      expect((await lab.run('host', ['touch', '/etc/qemu-tap-hooks-lab'])).exit).toBe(1)
      expect(existsSync('/etc/qemu-tap-hooks-lab')).toBe(false)
    })
  })

  test('never runs in the network namespace of the machine, which stays as it was', async () => {
    const before = machineState()
    await inLab({ asUser, secondUplink: { metric: 200 } }, async (lab) => {
      const namespaces = await Promise.all(nodes.map((node) => namespaceOf(lab, node)))
      expect(new Set([...namespaces, ownNamespace()]).size).toBe(4)
      await lab.ip('host', ['link add br9 type bridge', 'link del eth0'])
    })
    expect(machineState()).toBe(before)
  })

  test('leaves nothing when it is closed', async () => {
    const lab = await openLab({ asUser })
    const namespace = await namespaceOf(lab, 'host')
    const sleeper = await lab.start('host', ['sh', '-c', 'echo here; exec sleep 1000'])
    await sleeper.waitFor(/here/)
    expect(namespacesInUse().has(namespace)).toBe(true)
    await lab.close()
    expect((await sleeper.exited).signal).toBe('SIGKILL')
    await eventually(() => !namespacesInUse().has(namespace), 'no process in the namespace')
    expect(existsSync(lab.dir)).toBe(false)
  })

  test('leaves nothing when the process that opened it is killed', async () => {
    const script = fileURLToPath(new URL('../lab/open-and-wait.ts', import.meta.url))
    const child = spawn(process.execPath, ['--import', 'tsx', script, user], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line = '{}'] = await new Promise<string[]>((resolve) => {
      createInterface({ input: child.stdout }).once('line', (text) => {
        resolve([text])
      })
    })
    const lab = JSON.parse(line) as { dir: string; pid: number; namespaces: string[] }
    expect(existsSync(`/proc/${lab.pid}`)).toBe(true)
    child.kill('SIGKILL')
    await eventually(() => !existsSync(`/proc/${lab.pid}`), 'its process has ended')
    await eventually(() => !existsSync(lab.dir), 'its folder is gone')
    const left = lab.namespaces.filter((each) => namespacesInUse().has(each))
    expect(left).toEqual([])
  })

  test('refuses the namespace of the machine before anything runs', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tap-refuse-'))
    const script = `touch ${folder}/ran`
    const namespaces = ['--mount', '--pid', '--mount-proc']
    await expect(startKeeper({ asUser, script, namespaces })).rejects.toThrow(
      /machine's own network namespace/,
    )
    expect(existsSync(join(folder, 'ran'))).toBe(false)
    rmSync(folder, { recursive: true })
  })

  test('runs and starts commands, and reports how they end', async () => {
    await inLab({ asUser }, async (lab) => {
      const failed = await lab.run('host', ['sh', '-c', 'cat; echo $A >&2; exit 7'], {
        input: 'in',
        env: { A: 'a' },
      })
      expect(failed).toEqual({ exit: 7, stdout: 'in', stderr: 'a\n' })
      expect(await lab.ok('host', ['env'], { onlyEnv: true, env: { ONLY: '1' } })).toBe('ONLY=1\n')
      expect((await lab.ok('host', ['pwd'], { cwd: lab.dir })).trim()).toBe(lab.dir)
      await expect(lab.ok('host', ['sh', '-c', 'echo why >&2; exit 3'])).rejects.toThrow(/exited with 3: why/)
      await expect(lab.run('host', ['sleep', '9'], { timeout: 50 })).rejects.toThrow(/longer than 50 ms/)
      const running = await lab.start('outside', [
        'sh',
        '-c',
        'read -r word; echo got $word; exec sleep 1000',
      ])
      running.stdin.write('it\n')
      await running.waitFor(/got it/)
      expect(running.kill('SIGHUP')).toBe(true)
      expect(await running.exited).toEqual({ exit: 129, signal: 'SIGHUP' })
      expect(running.kill()).toBe(false)
    })
  })

  test('can be bare, for a state that the test builds', async () => {
    await inLab({ asUser, bare: true }, async (lab) => {
      expect(await lab.ok('host', ['ip', '-o', 'addr', 'show', 'dev', 'eth0'])).toBe('')
      await withoutDad(lab, ['eth0'], () =>
        lab.ip('host', [
          'addr add 192.168.1.50/24 dev eth0',
          'addr add fd01::50/64 dev eth0',
          'link set eth0 up',
          'route add default via 192.168.1.1',
          'route add ::/0 via fd01::1',
        ]),
      )
      expect(await reachable(lab)).toEqual([])
    })
  })

  test('opens many at once', async () => {
    const labs = await Promise.all(Array.from({ length: 6 }, () => openLab({ asUser })))
    const answers = await Promise.all(labs.map((lab) => reachable(lab)))
    await Promise.all(labs.map((lab) => lab.close()))
    expect(answers.flat()).toEqual([])
  })
})

test('orphans do not stay as zombies: process 1 of the lab reaps them', async () => {
  await inLab({}, async (lab) => {
    await lab.ok('host', ['sh', '-c', 'sleep 0.05 & exit 0'])
    await delay(150)
    const states = await lab.ok('host', ['sh', '-c', 'cat /proc/[0-9]*/stat | grep -c ") Z " || true'])
    expect(states.trim()).toBe('0')
  })
})

test('a lab closes with a stopped program in it', async () => {
  const lab = await openLab()
  const running = await lab.start('host', ['sleep', '1000'])
  running.kill('SIGSTOP')
  await delay(300)
  await lab.close()
  expect((await running.exited).exit).toBe(137)
})
