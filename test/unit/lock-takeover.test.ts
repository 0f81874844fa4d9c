import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, expect, test, vi } from 'vitest'

import { dropLockDir, isLockHeld, makeLockDir, readHolder, takeOver } from '../../src/transaction/holder.ts'

/** The moments of a takeover that a hundred kills seldom meet. */

const runDir = fs.mkdtempSync(join(tmpdir(), 'takeover-'))
const path = join(runDir, 'lock.lock')
const rename = fs.renameSync

afterEach(() => {
  vi.restoreAllMocks()
  fs.rmSync(runDir, { recursive: true })
  fs.mkdirSync(runDir)
})

/** The directory that a holder left which is not alive: the pid is ours, the start time is not. */
function leftBehind(nonce: string): void {
  fs.mkdirSync(path)
  fs.writeFileSync(join(path, 'holder'), JSON.stringify({ pid: process.pid, startTime: '1', nonce }))
}

test('a dead holder is replaced, a living one never', () => {
  leftBehind('dead')
  expect(isLockHeld(runDir)).toBe(false)
  takeOver(path)
  makeLockDir(path, 'mine')
  takeOver(path)
  expect([readHolder(path)?.nonce, isLockHeld(runDir)]).toEqual(['mine', true])
  expect(() => makeLockDir(path, 'other')).toThrow('exists')
  dropLockDir(path, 'other')
  expect(readHolder(path)?.nonce).toBe('mine')
  dropLockDir(path, 'mine')
  expect([fs.existsSync(path), isLockHeld(runDir)]).toEqual([false, false])
})

test('a second takeover of the same dead holder, late, leaves the newcomer alone', () => {
  leftBehind('dead')
  vi.spyOn(fs, 'renameSync').mockImplementationOnce((from, to) => {
    // Between the look at the dead one and this, another command has taken over and holds the lock.
    takeOver(path)
    makeLockDir(path, 'newcomer')
    rename(from, to)
  })
  takeOver(path)
  expect([readHolder(path)?.nonce, isLockHeld(runDir)]).toEqual(['newcomer', true])
})

test('the directory is never there without its holder', () => {
  const seen: unknown[] = []
  const look = (): void => {
    if (fs.existsSync(path)) seen.push(readHolder(path)?.nonce)
  }
  for (const name of ['mkdirSync', 'writeFileSync', 'renameSync', 'rmSync'] as const) {
    const real = fs[name] as (...args: unknown[]) => unknown
    vi.spyOn(fs, name).mockImplementation((...args: unknown[]) => {
      look()
      const result = real.apply(fs, args)
      look()
      return result
    })
  }
  makeLockDir(path, 'mine')
  dropLockDir(path, 'mine')
  expect(new Set(seen)).toEqual(new Set(['mine']))
})
