import fc from 'fast-check'

import {
  deletion,
  earlyDeletion,
  firstIpv4,
  firstIpv6,
  furtherIpv4,
  furtherIpv6,
  secondUplink,
} from './random-addresses.ts'
import { disabling, global, groups, neighbour, nexthops, rule, sysctl } from './random-others.ts'
import { ipv4Route } from './random-ipv4-routes.ts'
import { ipv6Route } from './random-ipv6-routes.ts'
import { oneOf, pick, rarely, some } from './random-words.ts'

/**
 * A network state as the commands that build it. What the kernel refuses is left out: the built state is what counts.
 */
export interface RandomState {
  /** Before the links go up. */
  readonly early: readonly string[]
  readonly commands: readonly string[]
  readonly second: boolean
}

const early = fc
  .tuple(
    rarely(
      1,
      ...['1280', '1400', '1499', '1501', '4000', '9000'].map((mtu) => `ip link set eth0 mtu ${mtu}`),
    ),
    rarely(5, 'ip link set eth0 addrgenmode none', 'ip link set eth0 addrgenmode random'),
  )
  .map((lines) => lines.filter((each) => each !== ''))

const addresses = fc
  .tuple(
    oneOf([5, firstIpv4], [1, pick('')]),
    some(furtherIpv4, 5),
    oneOf([5, firstIpv6], [1, pick('')]),
    some(furtherIpv6, 4),
    earlyDeletion,
  )
  .map((parts) => parts.flat().filter((each) => each !== ''))

const routes = fc.tuple(some(ipv4Route, 9), some(ipv6Route, 8)).map((parts) => parts.flat())

const gateways = fc
  .tuple(
    pick(
      '',
      'ip route add default via 192.168.1.1 dev eth0',
      'ip route add default via 192.168.1.1 dev eth0 metric 100',
    ),
    pick(
      '',
      'ip -6 route add default via fd01::1 dev eth0',
      'ip -6 route add default via fe80::1 dev eth0 metric 100',
    ),
  )
  .map((lines) => lines.filter((each) => each !== ''))

// The first is left out where there is the second.
const conflicts: readonly (readonly [RegExp, RegExp])[] = [
  // Where addresses keep their DAD, inet6_addr_modify() muddles the prefix routes of those with a metric.
  [/all\/accept_dad/, /^ip addr add \S*:.* metric/],
  // At metric 1 the bridge's copy cannot be the better one, and nobody could make a worse one of the uplink's.
  [/^ip -6 route del fd01::/, /^ip -6 route .* metric 1 /],
  // The kernel makes temporary addresses whenever it sees fit.
  [/use_tempaddr/, / mngtmpaddr/],
]

const withoutConflicts = (commands: readonly string[]): readonly string[] =>
  commands.filter(
    (command) =>
      !conflicts.some(([what, other]) => what.test(command) && commands.some((each) => other.test(each))),
  )

export const randomState: fc.Arbitrary<RandomState> = fc
  .record({
    early,
    second: fc.boolean(),
    addresses,
    gateways,
    objects: fc.tuple(some(nexthops, 5), some(groups, 2)).map((parts) => parts.flat()),
    withObjects: fc.boolean(),
    routes,
    rules: some(rule, 5),
    neighbours: some(neighbour, 3),
    deletions: fc.oneof(
      { weight: 4, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: some(deletion, 2) },
    ),
    sysctls: some(sysctl, 4),
    disabling,
    global,
  })
  .map((parts) => {
    const commands = [
      ...(parts.second ? secondUplink : []),
      ...parts.addresses,
      parts.disabling,
      ...parts.gateways,
      ...(parts.withObjects ? parts.objects : []),
      ...parts.routes,
      ...parts.rules,
      ...parts.neighbours,
      ...parts.deletions,
      ...parts.sysctls,
      parts.global,
    ].filter((each) => each !== '')
    return { early: parts.early, second: parts.second, commands: withoutConflicts(commands) }
  })

const dad = (second: boolean): readonly string[] =>
  ['eth0', ...(second ? ['eth1'] : [])].map((dev) => `/proc/sys/net/ipv6/conf/${dev}/accept_dad`)

/** The shell script that builds it in a bare lab's host; it prints the commands that the kernel refused. */
export function buildScript({ early, commands, second }: RandomState): string {
  const run = (command: string): string => `( ${command} ) 2>/dev/null || echo '${command}'`
  const links = second ? ['eth0', 'eth1'] : ['eth0']
  return [
    ...dad(second).map((path) => `echo 0 >${path}`),
    ...early.map(run),
    ...links.map((dev) => `ip link set ${dev} up`),
    // The kernel's own link-local address, where there will be one.
    'for i in 1 2 3 4 5 6 7 8 9 10; do [ -n "$(ip -6 addr show dev eth0 scope link)" ] && break; sleep 0.01; done',
    ...dad(second).map((path) => `echo 0 >${path}`),
    ...commands.map((command) => (command.includes('accept_dad') ? ':' : run(command))),
    'for i in $(seq 200); do [ -z "$(ip -6 -o addr show tentative)" ] && break; sleep 0.01; done',
    ...dad(second).map((path) => `echo 1 >${path}`),
    ...commands.filter((command) => command.includes('accept_dad')).map(run),
  ].join('\n')
}

export const stateText = ({ early, commands, second }: RandomState): string =>
  [...early, `# links up${second ? ' (with eth1)' : ''}`, ...commands].map((each) => `  ${each}`).join('\n')
