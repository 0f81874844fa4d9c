// Installs what the tests and the demo need, says what, asks nothing. Does nothing when all is there.
import { chmodSync, existsSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

import { hasApt, must } from './guest/apt.ts'
import { buildInitramfs } from './guest/initramfs.ts'
import { fetchKernel } from './guest/kernel.ts'
import { missingTools, staticBusybox } from './guest/tools.ts'
import { missingManagers, unpackManagers } from './managers.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const guest = join(root, '.cache/guest')
const managers = join(root, '.cache/managers')
const init = join(root, 'dev/guest/init.sh')
const say = (text: string): void => {
  console.error(`set-up: ${text}`)
}

/** Tells apt to start no daemon (Debian policy, invoke-rc.d); one that is there already is left alone. */
function withoutDaemons(install: () => void): void {
  const policy = '/usr/sbin/policy-rc.d'
  const ours = !existsSync(policy)
  // A handler keeps Ctrl-C from ending us before the policy is gone; apt gets the signal too and ends.
  const stay = (): void => undefined
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, stay)
  try {
    if (ours) {
      writeFileSync(policy, '#!/bin/sh\nexit 101\n')
      chmodSync(policy, 0o755)
    }
    install()
  } finally {
    if (ours) rmSync(policy, { force: true })
    for (const signal of signals) process.off(signal, stay)
  }
}

function installTools(): void {
  const missing = missingTools()
  if (missing.length === 0) return
  const packages = [...new Set(missing.map((each) => each.package))]
  const line = `apt-get install --no-install-recommends ${packages.join(' ')}`
  say(`missing: ${missing.map(({ program }) => program).join(', ')}`)
  if (!hasApt()) {
    throw new Error(`there is no apt-get here; install by hand what Debian calls ${packages.join(', ')}`)
  }
  if (process.getuid?.() !== 0) throw new Error(`installing needs root; run: sudo ${line}`)
  say(line)
  withoutDaemons(() => {
    must('apt-get', ['update', '-q'])
    must('apt-get', [
      ...['install', '-y', '-q', '--no-install-recommends'],
      ...['-o', 'DPkg::Lock::Timeout=300', '-o', 'Dpkg::Options::=--force-confold'],
      ...packages,
    ])
  })
  const still = missingTools().map(({ program }) => program)
  if (still.length > 0) throw new Error(`still missing after the installation: ${still.join(', ')}`)
}

const changedAt = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0

function prepareGuest(): void {
  const kernel = join(guest, 'vmlinuz')
  const initramfs = join(guest, 'initramfs.gz')
  if (!existsSync(kernel)) {
    if (!hasApt()) {
      const place = relative(root, guest)
      throw new Error(
        `there is no apt-get here; put a kernel at ${place}/vmlinuz, its virtio modules in ${place}/modules`,
      )
    }
    fetchKernel(guest)
  }
  if (changedAt(initramfs) > Math.max(changedAt(init), changedAt(kernel))) return
  const busybox = staticBusybox()
  if (busybox === undefined) throw new Error('busybox is not static (install busybox-static)')
  say(`the guests' initramfs: ${relative(root, initramfs)}`)
  buildInitramfs(guest, busybox, init)
}

/** Network managers, unpacked and not installed. */
function prepareManagers(): void {
  const missing = missingManagers(managers)
  if (missing.length === 0) return
  const names = missing.join(', ')
  if (!hasApt()) throw new Error(`there is no apt-get here to fetch ${names} with`)
  say(`${names}, for the tests: unpacked into ${relative(root, managers)}, not installed`)
  unpackManagers(managers)
}

try {
  installTools()
  prepareGuest()
  prepareManagers()
} catch (error) {
  say(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
}
