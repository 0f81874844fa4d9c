import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { bootSeconds } from '../kernel/clock.ts'
import { commandLine, commandName, networkNamespaceOf, processIds, startTimeOf } from '../kernel/process.ts'

/** Who manages an uplink, and would sooner or later put its own configuration back there. */
export interface Owner {
  readonly name: string
  readonly pid: number
  /** How to make it let go. */
  readonly release: string
}

interface Uplink {
  readonly name: string
  readonly index: number
  /** The names of all links, to tell them from other words of a command line. */
  readonly links: readonly string[]
}

interface Candidate {
  readonly pid: number
  readonly program: string
  readonly words: readonly string[]
}

/** Programs that own links, by the name of their process (15 bytes at most). */
const finders: Readonly<Record<string, (candidate: Candidate, uplink: Uplink) => Owner | undefined>> = {
  NetworkManager: networkManager,
  'systemd-network': networkd,
  dhclient: dhcpClient,
  dhcpcd: dhcpClient,
  udhcpc: dhcpClient,
  connmand: (candidate) => ({ name: 'ConnMan', pid: candidate.pid, release: 'stop connmand' }),
}

/** The first owner found among the processes of this network namespace. */
export function uplinkOwner(uplink: Uplink): Owner | undefined {
  const here = networkNamespaceOf('self')
  for (const pid of processIds()) {
    const program = programName(pid)
    const find = program === undefined ? undefined : finders[program]
    if (program === undefined || find === undefined || isElsewhere(pid, here)) continue
    const owner = find({ pid, program, words: commandLine(pid) }, uplink)
    if (owner !== undefined) return owner
  }
  return undefined
}

/** Where we may not look, it may well be here. */
const isElsewhere = (pid: number, here: string | undefined): boolean => {
  const namespace = networkNamespaceOf(pid)
  return namespace !== undefined && namespace !== here
}

/** `busybox udhcpc` is named by its second word. */
function programName(pid: number): string | undefined {
  const name = commandName(pid)
  if (name !== 'busybox') return name
  const [program, applet] = commandLine(pid)
  return program !== undefined && basename(program) === 'busybox' && applet !== undefined ? applet : name
}

const readText = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** In seconds: one that has just started has yet to say what it manages. */
const youth = 5
const ticksPerSecond = 100

const isYoung = (pid: number): boolean =>
  bootSeconds() - Number(startTimeOf(pid) ?? 0) / ticksPerSecond < youth

/** NetworkManager writes one file for each link that it manages, within a second of its start. */
function networkManager({ pid }: Candidate, { name, index }: Uplink): Owner | undefined {
  const managed = /^managed=(.*)$/m.exec(readText(`/run/NetworkManager/devices/${index}`) ?? '')?.[1]
  if (managed === undefined && !isYoung(pid)) return undefined
  if (managed === 'false' || managed === 'unmanaged') return undefined
  return {
    name: 'NetworkManager',
    pid,
    release: `nmcli device set ${name} managed no, with static addresses`,
  }
}

/** systemd-networkd writes one file a link, with its own view of who configures it. */
function networkd({ pid }: Candidate, { name, index }: Uplink): Owner | undefined {
  const state = /^ADMIN_STATE=(.*)$/m.exec(readText(`/run/systemd/netif/links/${index}`) ?? '')?.[1]
  if (state === undefined || state === 'unmanaged') return undefined
  return {
    name: 'systemd-networkd',
    pid,
    release: `give ${name} a .network file with Unmanaged=yes under [Link]`,
  }
}

/** A client names its links on its command line; one that names none (dhcpcd, dhclient) takes all. */
function dhcpClient({ pid, program, words }: Candidate, { name, links }: Uplink): Owner | undefined {
  const owner = { name: program, pid, release: `stop ${program} (pid ${pid}) without releasing the lease` }
  const args = words.slice(words[0] !== undefined && basename(words[0]) === 'busybox' ? 2 : 1)
  if (args.some((word) => word === name || word === `-i${name}` || word === `--interface=${name}`))
    return owner
  // dhcpcd renames its processes: `dhcpcd: eth0 [ip4]`.
  if (words.join(' ').includes(`: ${name} `)) return owner
  const namesAnother = links.some((link) =>
    args.some((word) => word.replace(/^(-i|--interface=)/, '') === link),
  )
  if (program === 'udhcpc') return namesAnother || name !== 'eth0' ? undefined : owner
  return namesAnother ? undefined : owner
}
