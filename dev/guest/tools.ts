import { existsSync, readFileSync } from 'node:fs'

interface Tool {
  /** What must be there: the name of a program, or a test of its own. */
  readonly program: string
  readonly package: string
  readonly present?: () => boolean
}

const folders = ['/usr/sbin', '/usr/bin', '/sbin', '/bin']

const find = (program: string): string | undefined =>
  folders.map((folder) => `${folder}/${program}`).find((path) => existsSync(path))

/** Busybox with no dynamic loader in it: the guests have no libraries. */
export function staticBusybox(): string | undefined {
  const path = find('busybox')
  return path === undefined || readFileSync(path).subarray(0, 4096).includes('/ld-linux') ? undefined : path
}

const perlFolders = ['/usr/lib/x86_64-linux-gnu/perl', '/usr/lib/aarch64-linux-gnu/perl', '/usr/lib64/perl5']

const tools: readonly Tool[] = [
  { program: 'ip', package: 'iproute2' },
  { program: 'nft', package: 'nftables' },
  { program: 'iptables-nft', package: 'iptables' },
  { program: 'firewalld', package: 'firewalld' },
  { program: 'ping', package: 'iputils-ping' },
  { program: 'sysctl', package: 'procps' },
  { program: 'unshare', package: 'util-linux' },
  { program: 'nsenter', package: 'util-linux' },
  { program: 'setpriv', package: 'util-linux' },
  { program: 'strace', package: 'strace' },
  { program: 'dhclient', package: 'isc-dhcp-client' },
  { program: 'dnsmasq', package: 'dnsmasq-base' },
  { program: 'qemu-system-x86_64', package: 'qemu-system-x86' },
  { program: 'busybox (static)', package: 'busybox-static', present: () => staticBusybox() !== undefined },
  { program: 'dbus-daemon', package: 'dbus-daemon' },
  {
    program: 'systemd-networkd',
    package: 'systemd',
    present: () => existsSync('/lib/systemd/systemd-networkd'),
  },
  { program: 'xz', package: 'xz-utils' },
  { program: 'zstd', package: 'zstd' },
  {
    program: 'perl',
    package: 'perl',
    present: () => find('perl') !== undefined && perlFolders.some(existsSync),
  },
]

/** The tools that are not installed. Starts no program, so that it takes a few ms. */
export const missingTools = (): readonly Tool[] =>
  tools.filter(({ program, present }) => !(present?.() ?? find(program) !== undefined))
