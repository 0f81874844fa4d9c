import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { readHolder } from '../../src/transaction/holder.ts'
import { reachable } from '../lab/reachable.ts'
import { snapshot, diffSnapshots } from '../lab/snapshot.ts'
import { holdLock } from '../helpers/held-lock.ts'
import { bin, inLab, journals, linkOf, run, until } from '../helpers/tap.ts'

/** The lock: one holder, whatever happens to it. The first tests need a folder only, no network. */

const folder = mkdtempSync(join(tmpdir(), 'lock-test-'))
const worker = join(folder, 'worker.mjs')
const children = new Set<ChildProcess>()

beforeAll(async () => {
  await build({
    entryPoints: [fileURLToPath(new URL('../helpers/lock-worker.ts', import.meta.url))],
    outfile: worker,
    bundle: true,
    platform: 'node',
    format: 'esm',
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)",
    },
  })
})

afterAll(async () => {
  const ends = [...children].map((child) => new Promise((resolve) => child.once('exit', resolve)))
  for (const child of children) child.kill('SIGKILL')
  await Promise.all(ends)
  rmSync(folder, { recursive: true })
})

function start(runDir: string, ...args: readonly (string | number)[]): ChildProcess {
  const child = spawn(process.execPath, [worker, runDir, ...args.map(String)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

const newRunDir = (): string => mkdtempSync(join(folder, 'run-'))

const logOf = (runDir: string): string[] => {
  try {
    return readFileSync(join(runDir, 'log'), 'utf8').trim().split('\n')
  } catch {
    return []
  }
}

/** Keeps `count` workers going while it kills the holder, at a moment of its own, `kills` times. */
async function killHolders(runDir: string, count: number, kills: number): Promise<number> {
  const mine = new Map<number, ChildProcess>()
  const fill = (): void => {
    while (mine.size < count) {
      const child = start(runDir, 10)
      const pid = child.pid ?? 0
      mine.set(pid, child)
      child.once('exit', () => mine.delete(pid))
    }
  }
  let killed = 0
  while (killed < kills) {
    fill()
    const holder = mine.get(readHolder(join(runDir, 'lock.lock'))?.pid ?? 0)
    // Half of them in the middle of taking the lock, half somewhere in what comes after.
    await delay(killed % 2 === 0 ? 2 : Math.random() * 60)
    if (holder?.kill('SIGKILL') === true) killed += 1
  }
  for (const child of mine.values()) child.kill('SIGKILL')
  return killed
}

describe.concurrent('the lock', () => {
  test('has one holder at a time, through hundreds of kills', async () => {
    const runDir = newRunDir()
    expect(await killHolders(runDir, 6, 300)).toBe(300)
    const lines = logOf(runDir)
    expect(lines.filter((line) => line !== 'in')).toEqual([])
    expect(lines.length).toBeGreaterThan(100)
    const last = start(runDir, 0, 1)
    expect(await new Promise((resolve) => last.once('exit', resolve))).toBe(0)
  })

  test('stays with a holder that is stopped', async () => {
    const runDir = newRunDir()
    const holder = start(runDir, 60_000)
    await new Promise((resolve) => holder.stdout?.once('data', resolve))
    holder.kill('SIGSTOP')
    const other = start(runDir, 0, 1)
    const ended = new Promise((resolve) => other.once('exit', resolve))
    expect(await Promise.race([ended, delay(3000, 'waits')])).toBe('waits')
    holder.kill('SIGKILL')
    expect(await ended).toBe(0)
    expect(logOf(runDir).filter((line) => line !== 'in')).toEqual([])
  })

  test('is not waited for longer than 30 s: brup and brdown end with 5 and change nothing', async () => {
    await inLab(async (lab) => {
      await lab.ip('host', ['link add br0 type bridge', 'tuntap add tap0 mode tap'])
      const held = await holdLock(lab)
      const before = await snapshot(lab)
      const begun = Date.now()
      const hint = '(wait for it, or end it: its changes are then taken back)'
      const ends = await Promise.all(
        ['brup --json', 'brdown --quiet', 'qemu-ifup tap0'].map((line) => run(lab, line)),
      )
      expect(ends.map(({ exit }) => exit)).toEqual([5, 5, 5])
      expect(Date.now() - begun).toBeGreaterThan(29_000)
      expect(Date.now() - begun).toBeLessThan(45_000)
      const says = `another command (pid ${held.pid}) holds the lock and does not finish`
      expect(ends[0]?.stderr).toBe(
        `brup: waiting for another command (pid ${held.pid})\nbrup: ${says} ${hint}\n`,
      )
      expect(JSON.parse(ends[0]?.stdout ?? '')).toMatchObject({
        exit: 5,
        error: { kind: 'locked', message: says },
      })
      expect(ends[1]?.stderr).toBe(`brdown: ${says} ${hint}\n`)
      expect(ends[2]?.stderr).toBe(
        'qemu-ifup: br0 is being changed, and that does not end (see brstatus br0)\n',
      )
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    })
  })

  test('stays with a brup that is stopped for a minute, which then ends its work whole', async () => {
    await inLab(async (lab) => {
      const before = await snapshot(lab)
      const raising = await lab.start('host', [bin('brup'), '--verbose'])
      await until('it is at work', () => Promise.resolve(raising.stderr().includes('ip link')))
      raising.kill('SIGSTOP')
      const begun = Date.now()
      // An `ip` that it stopped feeding waits for more, for ever.
      await until('the ip that it started has done what it was told', async () => {
        const seen = await snapshot(lab)
        await delay(500)
        return diffSnapshots(seen, await snapshot(lab)).length === 0
      })
      const stopped = await snapshot(lab)
      const files = await journals(lab)
      for (const command of ['brdown', 'brup br1'])
        expect((await run(lab, command)).exit, `${command} against it`).toBe(5)
      expect([diffSnapshots(stopped, await snapshot(lab)), await journals(lab)]).toEqual([[], files])
      await delay(Math.max(0, 60_000 - (Date.now() - begun)))
      raising.resume()
      const { exit } = await raising.exited
      // What it had running when it was stopped may be over its time by now: then it takes everything back.
      const isUp = (await linkOf(lab, 'eth0'))?.master === 'br0'
      expect([exit, isUp], raising.stderr()).toEqual(exit === 0 ? [0, true] : [1, false])
      expect(await reachable(lab)).toEqual([])
      expect((await run(lab, 'brdown')).exit).toBe(0)
      expect([diffSnapshots(before, await snapshot(lab)), await journals(lab)]).toEqual([[], ''])
      console.log(`stopped for a minute: brup ended with ${exit}`)
    })
  })

  test('is waited for: a second brup goes on once it is free', async () => {
    await inLab(async (lab) => {
      const held = await holdLock(lab)
      const second = await lab.start('host', [bin('brup')])
      await until('it says that it waits', () => Promise.resolve(second.stderr() !== ''))
      expect(second.stderr()).toBe(`brup: waiting for another command (pid ${held.pid})\n`)
      held.running.kill('SIGKILL')
      expect((await second.exited).exit).toBe(0)
      expect((await linkOf(lab, 'eth0'))?.master).toBe('br0')
    })
  })

  test('is given up by Ctrl-C while one waits', async () => {
    await inLab(async (lab) => {
      await holdLock(lab)
      const before = await snapshot(lab)
      const second = await lab.start('host', [bin('brup')])
      await until('it says that it waits', () => Promise.resolve(second.stderr() !== ''))
      second.kill('SIGINT')
      expect((await second.exited).exit).toBe(130)
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    })
  })
})
