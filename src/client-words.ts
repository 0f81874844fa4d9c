import type { DhcpClient, DhcpClientName } from './owner-state.ts'

/** The command line of a DHCP client, taken apart. */
export interface ClientWords {
  /** Options that differ from link to link, by their short names. */
  readonly own: ReadonlyMap<string, string>
  /** All other options, with their values. */
  readonly rest: readonly string[]
  /** Empty: all that there are. */
  readonly links: readonly string[]
}

interface Options {
  /** With a value each, by their short names. */
  readonly own: readonly string[]
  /** Others with a value. */
  readonly valued: readonly string[]
  /** Without one. */
  readonly flags: readonly string[]
  /** Long names of short options. */
  readonly long?: Readonly<Record<string, string>>
  /** Short ones stand together: `-fi eth0`, `-ieth0`. */
  readonly isGrouped?: boolean
}

// dhclient(8) of ISC DHCP 4.4; busybox 1.36, networking/udhcp/dhcpc.c. Of dhcpcd only what kernel/dhcp-clients.ts says.
const options: Readonly<Record<DhcpClientName, Options>> = {
  dhclient: {
    own: ['-lf', '-pf', '-sf', '-cf'],
    valued: [
      ...['-p', '-D', '-s', '-g', '-e', '-timeout', '-df'],
      ...['--dad-wait-time', '--prefix-len-hint', '--decline-wait-time', '--address-prefix-len'],
    ],
    flags: [
      ...['-4', '-6', '-1', '-d', '-v', '-q', '-w', '-i', '-I', '-S', '-N', '-T', '-P', '-R'],
      ...['-n', '-nw', '-nc', '--no-pid'],
    ],
  },
  dhcpcd: { own: ['-f'], valued: ['-m'], flags: ['-4', '-6', '-B', '-E', '-L', '-p'] },
  udhcpc: {
    own: ['-i', '-p', '-s', '-r'],
    valued: ['-t', '-T', '-A', '-O', '-x', '-F', '-H', '-h', '-V', '-P', '-c'],
    flags: ['-f', '-b', '-q', '-n', '-R', '-S', '-B', '-o', '-a', '-C', '-v'],
    long: {
      ...{ interface: '-i', pidfile: '-p', script: '-s', request: '-r', retries: '-t', timeout: '-T' },
      ...{ tryagain: '-A', 'request-option': '-O', fqdn: '-F', hostname: '-H', vendorclass: '-V' },
      ...{ 'client-port': '-P', foreground: '-f', background: '-b', quit: '-q', now: '-n', release: '-R' },
      ...{ syslog: '-S', broadcast: '-B', 'no-default-options': '-o', arping: '-a', 'clientid-none': '-C' },
    },
    isGrouped: true,
  },
}

/** Whether a program is busybox, which runs others by their names as its first word. */
export const isBusybox = (path: string): boolean => /(?:^|\/)busybox[^/]*$/u.test(path)

/** The whole command line. */
export const commandWords = ({ name, path, words }: Pick<DhcpClient, 'name' | 'path' | 'words'>) => [
  path,
  ...(isBusybox(path) ? [name] : []),
  ...words,
]

/** What udhcpc takes when it is told none. */
const udhcpcLink = 'eth0'

interface Option {
  readonly name: string
  /** `undefined`: it takes none. */
  readonly value: string | undefined
}

/** `undefined` where it holds an option that is not known: what follows that may be its value, or a link. */
export function clientWords(name: DhcpClientName, words: readonly string[]): ClientWords | undefined {
  const known = options[name]
  const own = new Map<string, string>()
  const rest: string[] = []
  const links: string[] = []
  const left = [...words]
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    if (!word.startsWith('-')) {
      links.push(word)
      continue
    }
    for (const option of optionsIn(word, known, () => left.shift() ?? '')) {
      if (option === undefined) return undefined
      const { name: short, value } = option
      if (value !== undefined && known.own.includes(short)) own.set(short, value)
      else rest.push(short, ...(value === undefined ? [] : [value]))
    }
  }
  return { own, rest, links: name === 'udhcpc' ? [own.get('-i') ?? udhcpcLink] : links }
}

function optionsIn(word: string, known: Options, next: () => string): readonly (Option | undefined)[] {
  const takesValue = (name: string): boolean => known.own.includes(name) || known.valued.includes(name)
  if (takesValue(word)) return [{ name: word, value: next() }]
  if (known.flags.includes(word)) return [{ name: word, value: undefined }]
  if (word.startsWith('--')) {
    const [long = '', joined] = word.slice(2).split(/=(.*)/s)
    const name = known.long?.[long]
    if (name === undefined) return [undefined]
    return [{ name, value: takesValue(name) ? (joined ?? next()) : undefined }]
  }
  return known.isGrouped === true ? grouped(word.slice(1), known, next) : [undefined]
}

function grouped(letters: string, known: Options, next: () => string): readonly (Option | undefined)[] {
  const name = `-${letters.slice(0, 1)}`
  const others = letters.slice(1)
  if (known.own.includes(name) || known.valued.includes(name))
    return [{ name, value: others === '' ? next() : others }]
  if (!known.flags.includes(name)) return [undefined]
  return [{ name, value: undefined }, ...(others === '' ? [] : grouped(others, known, next))]
}

export const scriptOption: Readonly<Record<DhcpClientName, string | undefined>> = {
  dhclient: '-sf',
  dhcpcd: undefined,
  udhcpc: '-s',
}

export const wordsOf = (name: DhcpClientName, { own, rest, links }: ClientWords): readonly string[] => [
  ...[...own].flat(),
  ...rest,
  ...(name === 'udhcpc' ? [] : links),
]
