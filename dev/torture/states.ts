import fc from 'fast-check'

import { furtherIpv4, furtherIpv6, secondUplink } from '../../test/helpers/random-addresses.ts'
import { ipv4Route } from '../../test/helpers/random-ipv4-routes.ts'
import { ipv6Route } from '../../test/helpers/random-ipv6-routes.ts'
import { global, groups, neighbour, nexthops, rule, sysctl } from '../../test/helpers/random-others.ts'
import type { RandomState } from '../../test/helpers/random-state.ts'
import { some, type Words } from '../../test/helpers/random-words.ts'
import { mixed } from './cases.ts'

/** A host as the lab has it, with more on top. */
export interface InitialState extends RandomState {
  readonly rpFilter: 0 | 1 | 2
  /** The bridge is there before brup. */
  readonly adopted: boolean
}

/** What would take the host from who looks at it from outside. */
const cuts =
  /192\.168\.1\.50\b|fd01::50\b|203\.0\.113|0\.0\.0\.0\/1|2000::|prepend default|192\.168\.1\.0\/24|fd01::\/64|blackhole pref|disable_ipv6/

const extras = (words: Words, most: number): fc.Arbitrary<readonly string[]> =>
  some(
    words.filter((each) => !cuts.test(each)),
    most,
  )

const metricWord = (metric: number | undefined): string => (metric === undefined ? '' : ` metric ${metric}`)

const uplinkLines = (metric: number | undefined): readonly string[] => [
  'ip addr add 192.168.1.50/24 dev eth0',
  'ip addr add fd01::50/64 dev eth0',
  `ip route add default via 192.168.1.1 dev eth0${metricWord(metric)}`,
  `ip -6 route add default via fd01::1 dev eth0${metricWord(metric)}`,
]

const secondLines = (metric: number): readonly string[] => [
  ...secondUplink,
  `ip route add default via 192.168.2.1 dev eth1 metric ${metric}`,
  `ip -6 route add default via fd02::1 dev eth1 metric ${metric}`,
]

interface Base {
  readonly metric: number | undefined
  readonly second: number | undefined
  readonly rpFilter: 0 | 1 | 2
  readonly adopted: boolean
}

const stateOf = (base: Base, more: readonly string[]): InitialState => ({
  early: [],
  second: base.second !== undefined,
  rpFilter: base.rpFilter,
  adopted: base.adopted,
  commands: [
    ...uplinkLines(base.metric),
    ...(base.second === undefined ? [] : secondLines(base.second)),
    ...(base.adopted ? ['ip link add br0 type bridge'] : []),
    ...more,
  ].filter((each) => each !== ''),
})

/** Nothing but the lab's own host. */
const plainState = stateOf({ metric: undefined, second: undefined, rpFilter: 0, adopted: false }, [])

const base: fc.Arbitrary<Base> = fc.record({
  metric: fc.constantFrom(undefined, 100),
  second: fc.constantFrom(undefined, undefined, 101, 200, 2000),
  rpFilter: fc.constantFrom(0, 1, 2),
  adopted: fc.integer({ min: 0, max: 6 }).map((drawn) => drawn === 0),
})

// A second uplink that is worse than the first also where the kernel chose the first one's metric (1024 for IPv6).
const sensible = base.map((each) =>
  each.metric === undefined && each.second !== undefined ? { ...each, second: 2000 } : each,
)

const objects: fc.Arbitrary<readonly string[]> = fc.oneof(
  fc.constant([]),
  fc.tuple(extras(nexthops, 4), extras(groups, 2)).map((parts) => parts.flat()),
)

const laden = fc
  .tuple(
    extras(furtherIpv4, 4),
    extras(furtherIpv6, 3),
    objects,
    extras(ipv4Route, 6),
    extras(ipv6Route, 5),
    extras(rule, 3),
    extras(neighbour, 3),
    extras(sysctl, 3),
    global.map((each) => [each]),
  )
  .map((parts) => parts.flat())

const anyState: fc.Arbitrary<InitialState> = fc.noBias(
  fc.oneof(
    { weight: 1, arbitrary: sensible.map((each) => stateOf(each, [])) },
    { weight: 3, arbitrary: fc.tuple(sensible, laden).map(([each, more]) => stateOf(each, more)) },
  ),
)

/** States to try one after the other, until one can be used: the host is reachable and brup takes it. */
export const statesOf = (seed: number, group: number): readonly InitialState[] => [
  ...fc.sample(anyState, { seed: mixed(seed, -1 - group), numRuns: 4 }),
  plainState,
]
