/** The files by which systemd-networkd is told what to manage: what the owner's say, and ours. */

export const unitFolder = '/run/systemd/network'

/** Where networkd says what it does, a folder of its own user and group. */
export const netifFolder = '/run/systemd/netif'

export const unitHead = '# By brup, until brdown.\n'

/** No link has a colon in its name. */
export const unitName = (bridge: string, dev: string): string => `0-qemu-tap-hooks-${bridge}:${dev}.network`

/** Beside the file that networkd takes again; it is read after the others. */
export const dropInName = (file: string, bridge: string): string =>
  `${file.slice(file.lastIndexOf('/') + 1)}.d/zz-qemu-tap-hooks-${bridge}.conf`

/** Whether a file is ours, by its name under the folder. */
export const isOwnUnit = (name: string, bridge: string): boolean =>
  name.startsWith(`0-qemu-tap-hooks-${bridge}:`) || name.endsWith(`.d/zz-qemu-tap-hooks-${bridge}.conf`)

export const isDropIn = (name: string): boolean => name.includes('/')

/** What networkd goes by on the uplink. */
export interface OwnerFile {
  /** The .network file and what was dropped in, in order. */
  readonly text: string
  /** By which the DHCP server knows the host, if the lease has one. */
  readonly iaid: number | undefined
}

export const unmanagedText = (dev: string): string =>
  `${unitHead}[Match]\nName=${dev}\n\n[Link]\nUnmanaged=yes\n`

interface Section {
  readonly name: string
  /** With comments and empty lines. */
  readonly lines: readonly string[]
}

/** Lines that end with a backslash go on in the next one. */
function sectionsOf(text: string): readonly Section[] {
  const sections: { name: string; lines: string[] }[] = []
  for (const line of text.replaceAll(/\\\n/g, ' ').split('\n')) {
    const name = /^\s*\[([^\]]+)\]\s*$/u.exec(line)?.[1]
    if (name !== undefined) sections.push({ name, lines: [] })
    else sections.at(-1)?.lines.push(line)
  }
  return sections
}

const keyOf = (line: string): string => /^\s*([A-Za-z0-9]+)\s*=/u.exec(line)?.[1] ?? ''

/** What the bridge has of its own: it was made with the MAC address of the uplink, and keeps its MTU. */
const linkTraits = new Set(['MACAddress', 'MTUBytes'])

/**
 * The settings of the uplink, for the bridge. What is there when networkd takes it stays (KeepConfiguration=), and its DHCP client is
 * known by the same id: the server gives it the same lease.
 */
export function bridgeText({ text, iaid }: OwnerFile, bridge: string): string {
  const sections = sectionsOf(text)
    .filter(({ name }) => name !== 'Match')
    .map(({ name, lines }) => {
      const kept = lines.filter((line) => line.trim() !== '' && !/^\s*[#;]/u.test(line))
      const own = name === 'Link' ? kept.filter((line) => !linkTraits.has(keyOf(line))) : kept
      return [`[${name}]`, ...own, ''].join('\n')
    })
  const ids = iaid === undefined ? '' : `\n[DHCPv4]\nIAID=${iaid}\n\n[DHCPv6]\nIAID=${iaid}\n`
  return `${unitHead}[Match]\nName=${bridge}\n\n${sections.join('\n')}\n[Network]\nKeepConfiguration=yes\n${ids}`
}

/** What may be said of a bridge as it may of any link. */
const portable = new Set([
  'Match',
  'Link',
  'Network',
  'Address',
  'Neighbor',
  'IPv6AddressLabel',
  'RoutingPolicyRule',
  'NextHop',
  'Route',
  'DHCP',
  'DHCPv4',
  'DHCPv6',
  'DHCPv6PrefixDelegation',
  'DHCPPrefixDelegation',
  'IPv6AcceptRA',
  'LLDP',
])

/** Links that networkd puts upon the uplink, or the uplink into. */
const bound = new Set([
  'BatmanAdvanced',
  'BindCarrier',
  'Bond',
  'Bridge',
  'IPoIB',
  'IPVLAN',
  'IPVTAP',
  'L2TP',
  'MACsec',
  'MACVLAN',
  'MACVTAP',
  'Tunnel',
  'VLAN',
  'VRF',
  'VXLAN',
  'Xfrm',
])

/** Why the settings of the uplink cannot be those of the bridge. */
export function unportable(text: string): string | undefined {
  const sections = sectionsOf(text)
  const section = sections.find(({ name }) => !portable.has(name))
  if (section !== undefined) return `its .network file has [${section.name}]`
  const keys = sections.filter(({ name }) => name === 'Network').flatMap(({ lines }) => lines.map(keyOf))
  const key = keys.find((each) => bound.has(each))
  if (key !== undefined) return `its .network file has ${key}=`
  return undefined
}

interface Guests {
  readonly bridge: string
  /** That of the uplink, and so of the bridge. */
  readonly mac: string
}

/** Whether networkd would manage the bridge while it is made, or a tap, by this file. What cannot be told is taken for no. */
export function fitsGuests(text: string, { bridge, mac }: Guests): boolean {
  const lines = sectionsOf(text).flatMap(({ name, lines }) => (name === 'Match' ? lines : []))
  const fits = (key: string, values: readonly string[]): boolean => {
    const words = lines.flatMap((line) => (keyOf(line) === key ? wordsOf(line) : []))
    const isNegative = words[0]?.startsWith('!') === true
    const isHit = (value: string): boolean =>
      words.some((word) => globOf(word.replace(/^!/u, '').toLowerCase()).test(value.toLowerCase()))
    return words.length === 0 || values.some((value) => isHit(value) !== isNegative)
  }
  const isOther = lines.some((line) =>
    ['PermanentMACAddress', 'Path', 'Driver', 'Property'].includes(keyOf(line)),
  )
  const names = ['tap0', 'qth0', bridge]
  return (
    lines.some((line) => keyOf(line) !== '') &&
    !isOther &&
    fits('Name', names) &&
    fits('Kind', ['bridge', 'tun']) &&
    fits('Type', ['bridge', 'ether']) &&
    fits('MACAddress', [mac])
  )
}

const wordsOf = (line: string): readonly string[] =>
  line
    .slice(line.indexOf('=') + 1)
    .trim()
    .split(/\s+/u)

const globOf = (text: string): RegExp =>
  new RegExp(
    `^${text
      .replaceAll(/[.+^${}()|\\]/gu, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')
      .replaceAll('[!', '[^')}$`,
    'u',
  )
