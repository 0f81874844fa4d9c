import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { must, output } from './guest/apt.ts'

/** Managers of links that the tests run for real; installed, they would take over this machine's. */
const packages = ['network-manager', 'dhcpcd-base']

/** Those, and what they need and this machine has not: a line of apt's simulation without an older version. */
function missing(): string[] {
  const plan = output('apt-get', ['-s', 'install', '--no-install-recommends', ...packages]) ?? ''
  return [...plan.matchAll(/^Inst (\S+) \(/gm)].flatMap((match) => match[1] ?? [])
}

/** Unpacks them into a folder, which is complete when it has the file `done`. */
export function unpackManagers(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const names = missing()
  if (names.length > 0) {
    const download = mkdtempSync(`${folder}.`)
    must('apt-get', ['download', '-q', ...names], download)
    for (const file of readdirSync(download)) must('dpkg-deb', ['-x', join(download, file), folder])
    rmSync(download, { recursive: true, force: true })
  }
  writeFileSync(join(folder, 'done'), '')
}
