import { existsSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { clientWords, isBusybox, scriptOption, wordsOf, type ClientWords } from '../client-words.ts'
import { dhcpScript, scriptVariable, stateFolder } from '../dhcp-script.ts'
import type { Family } from '../names.ts'
import type { DhcpClient, DhcpClientName } from '../owner-state.ts'
import {
  commandLine,
  childrenOf,
  commandName,
  confinementOf,
  environmentOf,
  hasOurRoot,
  isProgramGone,
  isRoots,
  networkNamespaceOf,
  openFilesOf,
  processIds,
  programOf,
  runsOurFile,
  startTimeOf,
  type ProcessId,
} from './process.ts'

/** DHCP clients among the processes: known by their name, and their links by their command line. */

export interface Found {
  readonly process: ProcessId
  readonly name: DhcpClientName
  /** Empty: all that there are; `undefined`: that cannot be told. */
  readonly links: readonly string[] | undefined
  /** What starts it again, or why nobody but itself can. */
  readonly client: DhcpClient | string
}

/** Of this network namespace. Files of clients that live on a bridge; they may hold secrets. */
export const clientFolder = (): string =>
  `${stateFolder}/${/\d+/.exec(networkNamespaceOf('self') ?? '')?.[0] ?? 'unknown'}`

const mostLooks = 10

/** One that goes into the background is another process from then on, and a single look may miss both. */
export function found(): readonly Found[] {
  let seen = look()
  for (let i = 1; i < mostLooks; i += 1) {
    const again = look()
    if (pidsOf(again) === pidsOf(seen)) return again
    seen = again
  }
  return seen
}

const pidsOf = (all: readonly Found[]): string => all.map(({ process }) => process.pid).join(' ')

function look(): readonly Found[] {
  const here = networkNamespaceOf('self')
  return processIds().flatMap((pid) => {
    const name = clientName(pid)
    if (name === undefined || !isTrusted(pid, name)) return []
    const namespace = networkNamespaceOf(pid)
    const startTime = startTimeOf(pid)
    if (startTime === undefined || (namespace !== undefined && namespace !== here)) return []
    const sight = lookers[name](pid)
    return sight === undefined ? [] : [{ process: { pid, startTime }, name, ...sight }]
  })
}

/**
 * What anybody else began under such a name is no client of the host, and must not be begun again as root. The manager process of
 * dhcpcd has given its rights away, to a child that is the same program.
 */
function isTrusted(pid: number, name: DhcpClientName): boolean {
  const program = programOf(pid)
  const isNamed = program === undefined || isNameOf(basename(program), name)
  const isOwn = (id: number): boolean => isRoots(id) || (name === 'dhcpcd' && childrenOf(id).some(isHelper))
  const isHelper = (child: number): boolean =>
    isRoots(child) && (program === undefined || programOf(child) === program)
  return isNamed && isOwn(pid)
}

const isNameOf = (program: string, name: DhcpClientName): boolean => program === name || isBusybox(program)

/** `busybox udhcpc` is named by its second word. */
function clientName(pid: number): DhcpClientName | undefined {
  const name = commandName(pid)
  const isClient = (text: string | undefined): text is DhcpClientName => text !== undefined && text in lookers
  if (isClient(name)) return name
  if (name?.startsWith('busybox') !== true) return undefined
  const [program = '', applet] = commandLine(pid)
  return isBusybox(program) && isClient(applet) ? applet : undefined
}

type Sight = Pick<Found, 'links' | 'client'>

const lookers: Readonly<Record<DhcpClientName, (pid: number) => Sight | undefined>> = {
  dhclient,
  dhcpcd,
  udhcpc,
}

interface Candidate {
  readonly pid: number
  readonly name: DhcpClientName
  readonly families: readonly Family[]
  readonly parts: ClientWords | undefined
  readonly env?: Readonly<Record<string, string>>
}

/** What is to be known of it, and what stands against it. */
function sightOf({ pid, name, families, parts, env = {} }: Candidate): Sight {
  const links = parts?.links
  const path = programOf(pid)
  const key = scriptOption[name]
  const [dev, ...others] = links ?? []
  if (parts === undefined) return { links, client: 'it has an option that is not known' }
  if (path === undefined) return { links, client: 'it cannot be looked into' }
  if (dev === undefined || others.length > 0) return { links, client: 'it looks after more than one link' }
  if ([...parts.own].some(([option, value]) => isPathOption(option) && !value.startsWith('/')))
    return { links, client: 'it has a path that is not absolute' }
  const wasOurs = isProgramGone(pid) && hasOurRoot(pid)
  if (!runsOurFile(pid, path) && !wasOurs) return { links, client: 'its program is not the one that is here' }
  if (key !== undefined && !parts.own.has(key)) return { links, client: 'which script it runs is not known' }
  const confinement = confinementOf(pid)
  const confined = confinement !== undefined
  const reason = confined && name === 'dhclient' ? inConfinement(dev, families, parts) : undefined
  if (reason !== undefined) return { links, client: `${reason}, and ${confinement} keeps it from others` }
  return { links, client: { name, families, dev, path, words: wordsOf(name, parts), env, confined } }
}

const isPathOption = (option: string): boolean => !['-i', '-r'].includes(option)

/** What stands against taking it along with the settings and the script that it has. */
function inConfinement(dev: string, families: readonly Family[], { own }: ClientWords): string | undefined {
  // It would take all static addresses off first (PREINIT6 in Debian's dhclient-script).
  if (families.includes(6)) return 'its script would take the addresses off'
  const conf = own.get('-cf') ?? ''
  const isNamed = existsSync(conf) && namesLink(readFileSync(conf, 'utf8'), dev)
  return isNamed ? `${conf} names ${dev}` : undefined
}

/** dhclient.conf(5): `interface "eth0" { … }`, and `lease { interface "eth0"; … }`. */
const namesLink = (text: string, dev: string): boolean =>
  text
    .split('\n')
    .some((line) => /^\s*(?:lease\s*\{\s*)?interface\b/u.test(line) && line.includes(`"${dev}"`))

const firstOf = (paths: readonly string[]): string | undefined => paths.find(existsSync)

/** With values for what was not told, so that they can be told from those of another link. */
const withDefaults = (
  parts: ClientWords | undefined,
  defaults: Readonly<Record<string, string | undefined>>,
): ClientWords | undefined =>
  parts && {
    ...parts,
    own: new Map([
      ...Object.entries(defaults).flatMap(([key, value]) =>
        value === undefined ? [] : [[key, value] as const],
      ),
      ...parts.own,
    ]),
  }

/** NetworkManager's own is NetworkManager's affair. */
function dhclient(pid: number): Sight | undefined {
  const [, ...words] = commandLine(pid)
  const parts = withDefaults(clientWords('dhclient', words), {
    '-lf': openFilesOf(pid).find((file) => file.endsWith('.leases')),
    '-cf': firstOf(['/etc/dhcp/dhclient.conf', '/etc/dhclient.conf']),
    '-sf': firstOf(['/sbin/dhclient-script', '/usr/sbin/dhclient-script']),
  })
  if (basename(parts?.own.get('-sf') ?? '') === 'nm-dhcp-helper') return undefined
  const families: readonly Family[] = words.includes('-6') ? [6] : [4]
  return sightOf({ pid, name: 'dhclient', families, parts: parts && withoutOurScript(parts) })
}

/** As if it ran its own script. */
function withoutOurScript(parts: ClientWords): ClientWords {
  const prefix = `${scriptVariable}=`
  const at = parts.rest.findIndex((word, i) => parts.rest[i - 1] === '-e' && word.startsWith(prefix))
  const script = parts.rest[at]?.slice(prefix.length)
  if (parts.own.get('-sf') !== dhcpScript || script === undefined) return parts
  return { ...parts, own: new Map([...parts.own, ['-sf', script]]), rest: parts.rest.toSpliced(at - 1, 2) }
}

/** It shows what it does in place of its command line: `dhcpcd: eth0 [ip4]`, `dhcpcd: [manager] [ip4] [ip6]`. */
function dhcpcd(pid: number): Sight | undefined {
  const [program = '', ...words] = commandLine(pid)
  const line = [program, ...words].join(' ')
  const title = /^dhcpcd: (\[manager\]|\[master\]|[^\s[]+)((?: \[ip[46]\])+)/u.exec(line)
  // One of its helpers.
  if (title === null && program.startsWith('dhcpcd:')) return undefined
  const [, who, protocols = ''] = title ?? []
  // Until it shows that, its command line is there.
  const told = title === null ? clientWords('dhcpcd', words) : undefined
  const has = (family: Family): boolean =>
    title === null ? !words.includes(family === 4 ? '-6' : '-4') : protocols.includes(`[ip${family}]`)
  const families = ([4, 6] as const).filter(has)
  const links = title === null ? told?.links : who?.startsWith('[') === true ? [] : [who ?? '']
  if (links === undefined) return sightOf({ pid, name: 'dhcpcd', families, parts: undefined })
  const own = ownSettings(links[0] ?? '') ?? firstOf(['/etc/dhcpcd.conf'])
  const parts: ClientWords = {
    own: new Map(own === undefined ? [] : [['-f', own]]),
    rest: families.length === 1 ? [`-${families[0] ?? 4}`] : [],
    links,
  }
  return sightOf({ pid, name: 'dhcpcd', families, parts })
}

/** Those that were made for it, if it is one on a bridge of ours. */
const ownSettings = (dev: string): string | undefined => firstOf([`${clientFolder()}/dhcpcd-${dev}.conf`])

function udhcpc(pid: number): Sight {
  const [program = '', ...args] = commandLine(pid)
  const words = isBusybox(program) && args[0] === 'udhcpc' ? args.slice(1) : args
  const all = environmentOf(pid)
  const parts = withDefaults(clientWords('udhcpc', words), {
    '-s': firstOf(['/etc/udhcpc/default.script', '/usr/share/udhcpc/default.script']),
  })
  const script = parts?.own.get('-s') === dhcpScript ? all[scriptVariable] : undefined
  const own =
    script === undefined ? parts : parts && { ...parts, own: new Map([...parts.own, ['-s', script]]) }
  // What ifupdown tells the script.
  const env = Object.fromEntries(
    Object.entries(all).filter(([key]) => /^(?:IF_METRIC|IF_PEER_\w+|PEER_\w+)$/.test(key)),
  )
  return sightOf({ pid, name: 'udhcpc', families: [4], parts: own, env })
}
