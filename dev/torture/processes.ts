import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

import type { Running } from '../../test/lab/start.ts'

const watchdogName = 'qemu-tap-hooks-watchdog'

const attempt = <T>(read: () => T): T | undefined => {
  try {
    return read()
  } catch {
    return undefined
  }
}

const text = (pid: number, file: string): string =>
  attempt(() => readFileSync(`/proc/${pid}/${file}`, 'latin1')) ?? ''

/** The watchdogs in that network namespace. */
export const watchdogs = (namespace: string): readonly number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => text(pid, 'cmdline').split('\0')[0] === watchdogName)
    .filter((pid) => attempt(() => readlinkSync(`/proc/${pid}/ns/net`)) === namespace)

/** False when it has ended. */
export const send = (pid: number, signal: NodeJS.Signals): boolean =>
  attempt(() => process.kill(pid, signal)) ?? false

/**
 * nsenter, whose child the command is, stops itself when its child is stopped, perhaps after that goes on again: to be
 * called once the command is not to be stopped any more. Ends with the command.
 */
export function keepGoing({ pid, exited }: Running): void {
  const parent = Number(/^PPid:\s*(\d+)$/m.exec(text(pid, 'status'))?.[1] ?? 0)
  if (parent <= 1) return
  const timer = setInterval(() => send(parent, 'SIGCONT'), 20)
  void exited.then(() => {
    clearInterval(timer)
  })
}
