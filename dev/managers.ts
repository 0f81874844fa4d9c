import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { must, output } from './guest/apt.ts'

/** Managers of links that the tests run for real; installed, they would take over this machine's. */
const managers = [
  'network-manager',
  'dhcpcd-base',
  'runit',
  'systemd-resolved',
  'ifupdown',
  'bridge-utils',
  'netplan.io',
  // No manager, but the one that is installed may be too old for it.
  'libxml2-utils',
]

/** Of which only files are read, so that they go without what they need. */
const folders = ['libvirt0']

/** Each in a folder of its own (`apart/NAME`): they have files of the same names. */
const apart = ['openresolv', 'resolvconf']

/** Those, and what they need and this machine has not: a line of apt's simulation without an older version. */
function withNeeds(packages: readonly string[]): readonly string[] {
  const plan = output('apt-get', ['-s', 'install', '--no-install-recommends', ...packages])
  if (plan === undefined) throw new Error(`apt-get knows no way to ${packages.join(', ')} (apt-get update?)`)
  return [...plan.matchAll(/^Inst (\S+) \(/gm)].flatMap((match) => match[1] ?? [])
}

/** What is in the folder already: each package is in the file `done` once it is whole. */
function unpacked(folder: string): readonly string[] {
  try {
    return readFileSync(join(folder, 'done'), 'utf8').split('\n')
  } catch {
    return []
  }
}

/** The packages that are not in the folder. */
export const missingManagers = (folder: string): readonly string[] => {
  const there = unpacked(folder)
  return [...managers, ...folders, ...apart].filter((name) => !there.includes(name))
}

/** Adds them to what is there. */
export function unpackManagers(folder: string): void {
  const missing = missingManagers(folder)
  mkdirSync(folder, { recursive: true })
  const needy = managers.filter((name) => missing.includes(name))
  const names = [
    ...(needy.length === 0 ? [] : withNeeds(needy)),
    ...[...folders, ...apart].filter((name) => missing.includes(name)),
  ]
  if (names.length > 0) {
    const download = mkdtempSync(`${folder}.`)
    must('apt-get', ['download', '-q', ...names], download)
    for (const file of readdirSync(download)) {
      const own = apart.find((name) => file.startsWith(`${name}_`))
      const target = own === undefined ? folder : join(folder, 'apart', own)
      mkdirSync(target, { recursive: true })
      must('dpkg-deb', ['-x', join(download, file), target])
    }
    rmSync(download, { recursive: true, force: true })
  }
  writeFileSync(join(folder, 'done'), `${[...unpacked(folder), ...missing].filter(Boolean).join('\n')}\n`)
}
