import { tool } from './tools.ts'

export const nodes = ['host', 'router', 'outside'] as const

/** A network namespace of the lab: the machine under test, its router, and a host beyond the router. */
export type Node = (typeof nodes)[number]

export interface Topology {
  /** A second interface, eth1 (192.168.2.50/24, fd02::50/64), with default routes of this metric. */
  readonly secondUplink?: { readonly metric: number }
  /** The metric of eth0's default routes; left out: what the kernel takes (0, and 1024 for IPv6). */
  readonly defaultMetric?: number
  /** For all interfaces of the host, also later ones. Default 0. */
  readonly rpFilter?: 0 | 1 | 2
  /** The host's interfaces are down and have no address: the caller builds the state. */
  readonly bare?: boolean
}

export const addressOf = {
  host: { 4: '192.168.1.50', 6: 'fd01::50' },
  outside: { 4: '203.0.113.9', 6: 'fd99::9' },
} as const

const batch = (node: Node | undefined, lines: readonly string[]): string =>
  [`${tool('ip')} ${node === undefined ? '' : `-n ${node} `}-batch - <<'END'`, ...lines, 'END'].join('\n')

const sysctls = (node: Node, values: Record<string, number>): string => {
  const writes = Object.entries(values).map(([key, value]) => `echo ${value} >/proc/sys/net/${key}`)
  return `${tool('nsenter')} --net=/run/netns/${node} sh -ec '${writes.join('; ')}'`
}

// Fixed MAC addresses, so that what a test prints is the same in every run.
const links = (second: boolean): string[] => [
  ...nodes.map((node) => `netns add ${node}`),
  'link add eth0 netns host address 02:00:00:00:01:50 type veth peer name e0 netns router address 02:00:00:00:01:01',
  'link add r1 netns router address 02:00:00:00:99:01 type veth peer name i0 netns outside address 02:00:00:00:99:09',
  ...(second
    ? [
        'link add eth1 netns host address 02:00:00:00:02:50 type veth peer name e1 netns router address 02:00:00:00:02:01',
      ]
    : []),
]

const routerLines = (second: boolean): string[] => {
  const legs = [
    ['e0', '192.168.1.1/24', 'fd01::1/64'],
    ['r1', '203.0.113.1/24', 'fd99::1/64'],
    ...(second ? [['e1', '192.168.2.1/24', 'fd02::1/64']] : []),
  ]
  return legs.flatMap(([link, v4, v6]) => [
    `addr add ${v4} dev ${link}`,
    `addr add ${v6} dev ${link} nodad`,
    `link set ${link} up`,
  ])
}

const outsideLines = [
  'addr add 203.0.113.9/24 dev i0',
  'addr add fd99::9/64 dev i0 nodad',
  'link set i0 up',
  'route add default via 203.0.113.1',
  'route add ::/0 via fd99::1',
]

const uplinkLines = (link: string, net: number, metric: number | undefined): string[] => {
  const suffix = metric === undefined ? '' : ` metric ${metric}`
  return [
    `addr add 192.168.${net}.50/24 dev ${link}`,
    `addr add fd0${net}::50/64 dev ${link}`,
    `link set ${link} up`,
    `route add default via 192.168.${net}.1 dev ${link}${suffix}`,
    `route add ::/0 via fd0${net}::1 dev ${link}${suffix}`,
  ]
}

// A link-local address that is missing or tentative: the router sends no neighbour solicitation without one.
const untilSettled = (node: Node, links: readonly string[]): string => {
  const ip = `${tool('ip')} -n ${node} -6 addr show`
  const waits = links.map((link) => `[ -z "$(${ip} dev ${link} scope link -tentative)" ]`)
  return `while ${waits.join(' || ')} || [ -n "$(${ip} tentative)" ]; do sleep 0.002; done`
}

const acceptDad = (node: Node, links: readonly string[], value: 0 | 1): string =>
  sysctls(node, Object.fromEntries(links.map((link) => [`ipv6/conf/${link}/accept_dad`, value])))

// Duplicate address detection would take two seconds. It is off while the addresses are made, and on again once
// none is tentative, so that neither a `nodad` flag nor a sysctl tells the host from a real one.
const hostScript = ({ secondUplink, defaultMetric }: Topology): string => {
  const uplinks = secondUplink === undefined ? ['eth0'] : ['eth0', 'eth1']
  return [
    acceptDad('host', uplinks, 0),
    batch('host', [
      ...uplinkLines('eth0', 1, defaultMetric),
      ...(secondUplink === undefined ? [] : uplinkLines('eth1', 2, secondUplink.metric)),
    ]),
    untilSettled('host', uplinks),
    acceptDad('host', uplinks, 1),
    untilSettled('router', secondUplink === undefined ? ['e0', 'r1'] : ['e0', 'r1', 'e1']),
  ].join('\n')
}

/** The shell script that builds the lab's network; it runs in fresh namespaces only (see keeper.ts). */
export function topologyScript(topology: Topology): string {
  const second = topology.secondUplink !== undefined
  const legs = ['e0', 'r1', ...(second ? ['e1'] : [])]
  const filter = topology.rpFilter ?? 0
  const filtered = ['all', 'default', 'eth0', ...(second ? ['eth1'] : [])]
  return [
    'mount -t tmpfs -o mode=755 lab /run',
    'mkdir /run/netns',
    // The machine's own: nothing in a lab may write there.
    'mount -n --rbind /etc /etc && mount -n -o remount,bind,ro /etc',
    'if [ -d /etc/qemu-tap-hooks ]; then mount -t tmpfs -o mode=755 lab /etc/qemu-tap-hooks; fi',
    // Where DHCP clients and network managers remember leases and connections.
    'mount -n -t tmpfs -o mode=755 lab /var/lib && mkdir /var/lib/dhcp /var/lib/dhcpcd /var/lib/NetworkManager',
    batch(undefined, links(second)),
    ...nodes.map((node) => batch(node, ['link set lo up'])),
    sysctls('router', {
      'ipv4/ip_forward': 1,
      'ipv6/conf/all/forwarding': 1,
      'ipv4/conf/all/rp_filter': 0,
      'ipv4/conf/default/rp_filter': 0,
      ...Object.fromEntries(legs.map((leg) => [`ipv4/conf/${leg}/rp_filter`, 0])),
    }),
    sysctls('host', Object.fromEntries(filtered.map((each) => [`ipv4/conf/${each}/rp_filter`, filter]))),
    acceptDad('router', legs, 0),
    acceptDad('outside', ['i0'], 0),
    batch('router', routerLines(second)),
    batch('outside', outsideLines),
    untilSettled('outside', ['i0']),
    topology.bare === true ? '' : hostScript(topology),
    "for node in host router outside; do stat -Lc 'net:[%i]' /run/netns/$node; done",
  ].join('\n')
}
