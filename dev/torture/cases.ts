import fc from 'fast-check'

import type { Act, Fault, Victim, When } from './fault.ts'

export type Place = 'lowered' | 'raised'

/** What is typed, in which state, and where it leads when nothing goes wrong. */
export interface Move {
  readonly from: Place
  readonly line: 'brup' | 'brdown' | 'brdown --force'
  readonly to: Place
  /** Taps that are on the bridge. */
  readonly guests: boolean
  /** A guest starts or ends meanwhile, after this part of the command's time. */
  readonly hook: { readonly line: 'qemu-ifup tap0' | 'qemu-ifdown tap0'; readonly part: number } | undefined
}

export interface Case {
  readonly number: number
  readonly move: Move
  readonly fault: Fault
  /** What a user types next. */
  readonly next: Move['line']
}

const part = fc.integer({ min: 0, max: 999_999 }).map((millionths) => millionths / 1_000_000)
const weighted = <T>(...choices: readonly (readonly [number, fc.Arbitrary<T>])[]): fc.Arbitrary<T> =>
  fc.oneof(...choices.map(([weight, arbitrary]) => ({ weight, arbitrary })))
const signal = fc.constantFrom('SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT')

const atTime: fc.Arbitrary<When> = weighted<'start' | 'lock'>(
  [1, fc.constant('start')],
  [4, fc.constant('lock')],
).chain((from) => part.map((each): When => ({ at: 'time', from, part: each })))
const atLine: fc.Arbitrary<When> = part.map((each) => ({ at: 'line', part: each, hold: false }))
const anytime = weighted([1, atTime], [1, atLine])

const victim = weighted<Victim>(
  [5, fc.constant('command')],
  [1, fc.constant('watchdog')],
  [2, fc.constant('both')],
)
const kill: fc.Arbitrary<Act> = victim.map((each) => ({ kind: 'kill', victim: each }))
const stop: fc.Arbitrary<Act> = fc.record({
  kind: fc.constant('stop'),
  victim,
  milliseconds: fc.integer({ min: 5, max: 1500 }),
  then: fc.constantFrom('SIGCONT', 'SIGKILL'),
})
const signals: fc.Arbitrary<Act> = fc.record({
  kind: fc.constant('signal'),
  signal,
  again: fc.option(fc.record({ signal, after: fc.integer({ min: 0, max: 300 }) }), { nil: undefined }),
})
const disk: fc.Arbitrary<Act> = fc.record({
  kind: fc.constant('disk'),
  error: fc.constantFrom('ENOSPC', 'EROFS'),
})
const rude: fc.Arbitrary<Act> = fc.record({
  kind: fc.constant('rude'),
  what: fc.constantFrom('delete', 'release', 'port'),
})

const act = (what: fc.Arbitrary<Act>, when: fc.Arbitrary<When>): fc.Arbitrary<Fault> =>
  fc.record({ kind: fc.constant('act'), when, act: what })

// All of it in 10.99.0.0/16 and fd9f::/16, or on links of its own (ftN): what is left of it can be taken away again.
const foreignLines = [
  ...['eth0', 'br0', 'lo'].flatMap((dev, index) => [
    `ip addr add 10.99.${index}.1/24 dev ${dev}`,
    `ip addr del 10.99.${index}.1/24 dev ${dev}`,
    `ip addr add fd9f:${index}::1/64 dev ${dev} nodad`,
    `ip addr del fd9f:${index}::1/64 dev ${dev}`,
  ]),
  'ip route replace 10.99.8.0/24 via 192.168.1.1 proto 99',
  'ip route replace 10.99.8.0/24 dev eth0 proto 99',
  'ip route del 10.99.8.0/24',
  'ip route replace blackhole 10.99.9.0/24 proto 99',
  'ip -6 route replace fd9f:8::/64 via fd01::1 proto 99',
  'ip -6 route del fd9f:8::/64',
  'ip link add ft0 type veth peer name ft1',
  'ip link set ft0 up; ip link set ft1 up; ip addr add 10.99.7.1/24 dev ft0',
  'ip link del ft0',
] as const

const foreign: fc.Arbitrary<Fault> = fc.record({
  kind: fc.constant('foreign'),
  lines: fc.array(fc.constantFrom(...foreignLines), { minLength: 4, maxLength: 16, size: 'max' }),
  pause: fc.integer({ min: 0, max: 60 }),
})

const ipLine: fc.Arbitrary<Fault> = fc.record({
  kind: fc.constant('line'),
  how: weighted<'refuse' | 'refuse-all' | 'hang' | 'die'>(
    [12, fc.constant('refuse')],
    [4, fc.constant('refuse-all')],
    [12, fc.constant('die')],
    [1, fc.constant('hang')],
  ),
  part,
})
const ipCall: fc.Arbitrary<Fault> = fc.record({
  kind: fc.constant('call'),
  how: weighted<'refuse' | 'die' | 'hang'>(
    [10, fc.constant('refuse')],
    [10, fc.constant('die')],
    [1, fc.constant('hang')],
  ),
  part,
})
const ipMessage: fc.Arbitrary<Fault> = fc.record({
  kind: fc.constant('message'),
  inject: fc.constantFrom('error=EPERM', 'error=ENOBUFS', 'error=EINTR', 'signal=KILL'),
  part,
  message: part,
})

const outside = [
  [12, act(kill, anytime)],
  [
    4,
    act(
      fc.constant({ kind: 'kill', victim: 'command' }),
      part.map((each) => ({ at: 'line', part: each, hold: true })),
    ),
  ],
  [6, act(stop, anytime)],
  [10, act(signals, anytime)],
] as const
const fault = weighted<Fault>(
  ...outside,
  [2, act(disk, fc.constant({ at: 'start' }))],
  [5, act(disk, anytime)],
  [4, act(rude, anytime)],
  [5, foreign],
  [8, ipLine],
  [4, ipCall],
  [6, ipMessage],
)
/** For a command that has nothing to change. */
const idleFault = weighted<Fault>(
  [1, act(kill, atTime)],
  [1, act(stop, atTime)],
  [1, act(signals, atTime)],
  [1, ipCall],
)

const nextLine = fc.constantFrom('brup', 'brdown', 'brdown --force')
const plain = { guests: false, hook: undefined } as const
const brup: Move = { ...plain, from: 'lowered', line: 'brup', to: 'raised' }
const brdown: Move = { ...plain, from: 'raised', line: 'brdown', to: 'lowered' }

/** With guests about, only --force takes the bridge down. */
const withGuests = fc.constantFrom<Move['line']>('brup', 'brdown --force')
const forced: Move = { ...brdown, line: 'brdown --force', guests: true }

type Drawn = fc.Arbitrary<Omit<Case, 'number'>>
const alone = (move: Move, what: fc.Arbitrary<Fault>): Drawn =>
  fc.record({ move: fc.constant(move), fault: what, next: move.guests ? withGuests : nextLine })
const meanwhile = (move: Move): Drawn =>
  fc.record({
    move: part.map((each): Move => ({
      ...move,
      hook: { line: move.guests ? 'qemu-ifdown tap0' : 'qemu-ifup tap0', part: each },
    })),
    fault: weighted<Fault>(...outside, [4, ipLine]),
    next: withGuests,
  })

const anyCase: Drawn = fc.noBias(
  weighted(
    [36, alone(brup, fault)],
    [36, alone(brdown, fault)],
    [12, alone(forced, fault)],
    [3, alone({ ...brup, from: 'raised' }, idleFault)],
    [1, alone({ ...brdown, from: 'lowered' }, idleFault)],
    [6, meanwhile(brup)],
    [6, meanwhile(brdown)],
    [3, meanwhile(forced)],
  ),
)

/** A number for fast-check out of two: neighbours must not share their cases. */
export const mixed = (seed: number, number: number): number =>
  (Math.imul(seed, 0x9e3779b1) ^ Math.imul(number, 0x85ebca6b)) | 0

/** The case of that number: the same for the same seed. */
export function caseOf(seed: number, number: number): Case {
  const [drawn] = fc.sample(anyCase, { seed: mixed(seed, number), numRuns: 1 })
  if (drawn === undefined) throw new Error('no case')
  return { number, ...drawn }
}
