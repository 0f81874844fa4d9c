import { mkdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf, refusal } from '../errors.ts'
import type { Host } from '../host.ts'

const standard = '/run/qemu-tap-hooks'

/** Network state is per namespace, and so is what we know of it. */
export const namespaceInode = (): string => /\d+/.exec(readlinkSync('/proc/self/ns/net'))?.[0] ?? 'unknown'

/** `/run/qemu-tap-hooks/<inode of the network namespace>`; QEMU_TAP_HOOKS_RUN_DIR moves it. */
export const runDirOf = (env: Host['env']): string => {
  const named = env['QEMU_TAP_HOOKS_RUN_DIR']
  return join(named === undefined || named === '' ? standard : named, namespaceInode())
}

/** Throws (exit 3) where it cannot be made: without it nothing is changed. */
export function makeRunDir(env: Host['env']): string {
  const dir = runDirOf(env)
  try {
    mkdirSync(dir, { recursive: true, mode: 0o755 })
    return dir
  } catch (error) {
    throw refusal(`cannot make ${dir}: ${messageOf(error)}`, 'run it as root, with /run writable')
  }
}
