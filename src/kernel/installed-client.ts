import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { leaseScript } from '../dhcp-script.ts'
import type { InstalledClient } from '../owner-state.ts'
import { clientFolder } from './dhcp-processes.ts'
import { runFed } from './fed.ts'
import { isExecutable } from './program.ts'

const folders = ['/usr/sbin', '/sbin', '/usr/bin', '/bin']

const pathsOf = (name: string): readonly string[] =>
  folders.map((folder) => `${folder}/${name}`).filter(isExecutable)

/** Where AppArmor and SELinux let dhclient have its leases. */
const leaseFolders = ['/var/lib/dhcp', '/var/lib/dhclient']
const scripts = ['/etc/udhcpc/default.script', '/usr/share/udhcpc/default.script']

/** The DHCP client that this machine has: what a distribution's own scripts would take first. */
export async function installedClient(): Promise<InstalledClient | undefined> {
  const [dhclient] = pathsOf('dhclient')
  if (dhclient !== undefined)
    return { name: 'dhclient', path: dhclient, folder: leaseFolders.find(existsSync) ?? clientFolder() }
  const [dhcpcd] = pathsOf('dhcpcd')
  if (dhcpcd !== undefined) return { name: 'dhcpcd', path: dhcpcd, folder: clientFolder() }
  const udhcpc = await installedUdhcpc()
  const script = scripts.find(isExecutable) ?? leaseScript
  return udhcpc === undefined ? undefined : { name: 'udhcpc', path: udhcpc, folder: clientFolder(), script }
}

/** The path of udhcpc, or of a busybox that has it. */
export async function installedUdhcpc(): Promise<string | undefined> {
  for (const path of [...pathsOf('udhcpc'), ...pathsOf('busybox')]) {
    if (basename(path) === 'udhcpc') return path
    const { stdout } = await runFed(path, ['--list'], { input: '', seconds: 5 })
    if (stdout.split('\n').includes('udhcpc')) return path
  }
  return undefined
}
