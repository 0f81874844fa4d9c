/** What goes wrong in a case, as plain data: it is drawn from the seed, logged, and played from outside. */

type Signal = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'SIGQUIT'
export type Victim = 'command' | 'watchdog' | 'both'

/** `part` goes from 0 to 1, of what the same command took in this lab without a fault. */
export type When =
  | { readonly at: 'start' }
  /** Of the time since the command was started, or since it has the lock. */
  | { readonly at: 'time'; readonly from: 'start' | 'lock'; readonly part: number }
  /** Of the lines that `ip` is told to change something with. `hold`: it does not go on afterwards. */
  | { readonly at: 'line'; readonly part: number; readonly hold: boolean }

export type Act =
  | { readonly kind: 'kill'; readonly victim: Victim }
  | {
      readonly kind: 'stop'
      readonly victim: Victim
      readonly milliseconds: number
      readonly then: 'SIGCONT' | 'SIGKILL'
    }
  /** The second one comes so many milliseconds later. */
  | {
      readonly kind: 'signal'
      readonly signal: Signal
      readonly again: { readonly signal: Signal; readonly after: number } | undefined
    }
  /** The run directory is full, or cannot be written, until the command has ended. */
  | { readonly kind: 'disk'; readonly error: 'ENOSPC' | 'EROFS' }
  /** Somebody deletes the bridge, takes the uplink out of it, or gives it another port with carrier. */
  | { readonly kind: 'rude'; readonly what: 'delete' | 'release' | 'port' }

/** What an `ip` does instead of its work: see test/helpers/faults.ts. */
type IpFault =
  | {
      readonly kind: 'line'
      readonly how: 'refuse' | 'refuse-all' | 'hang' | 'die'
      readonly part: number
    }
  | { readonly kind: 'call'; readonly how: 'refuse' | 'hang' | 'die'; readonly part: number }
  /** The message at `message` of the call at `part`, among those that change something; for strace(1). */
  | {
      readonly kind: 'message'
      readonly inject: 'error=EPERM' | 'error=ENOBUFS' | 'error=EINTR' | 'signal=KILL'
      readonly part: number
      readonly message: number
    }

export type Fault =
  | IpFault
  | { readonly kind: 'act'; readonly when: When; readonly act: Act }
  /** Commands of somebody else, one after the other, over and over, so many milliseconds apart. */
  | { readonly kind: 'foreign'; readonly lines: readonly string[]; readonly pause: number }

const actName = (act: Act): string => {
  switch (act.kind) {
    case 'kill':
      return `SIGKILL of ${act.victim}`
    case 'stop':
      return `SIGSTOP of ${act.victim}, then ${act.then}`
    case 'signal':
      return act.again === undefined ? act.signal : `${act.signal} and another signal`
    case 'disk':
      return `${act.error} in the run directory`
    case 'rude':
      return { delete: 'bridge deleted', release: 'uplink released', port: 'port added' }[act.what]
  }
}

const whenName = (when: When): string =>
  when.at === 'line' ? (when.hold ? 'at a line, ip hangs' : 'at a line') : `at ${when.at}`

/** What cases are counted by in the summary. */
export function faultName(fault: Fault): string {
  switch (fault.kind) {
    case 'line':
      return `ip, a line: ${fault.how}`
    case 'call':
      return `ip, a call: ${fault.how}`
    case 'message':
      return `ip, a message: ${fault.inject}`
    case 'act':
      return `${actName(fault.act)} ${whenName(fault.when)}`
    case 'foreign':
      return 'somebody else changes the network'
  }
}

/** Whether the fault may leave neither the command nor the watchdog to put anything back. */
export const leavesNobody = (fault: Fault): boolean =>
  fault.kind === 'act' &&
  ((fault.act.kind === 'kill' && fault.act.victim === 'both') ||
    (fault.act.kind === 'stop' && fault.act.victim === 'both' && fault.act.then === 'SIGKILL'))

/** Whether it ends the command in the middle, so that its exit code says nothing of what it did. */
export const endsCommand = (fault: Fault): boolean => {
  if (fault.kind !== 'act') return false
  const { act } = fault
  return (
    (act.kind === 'kill' && act.victim !== 'watchdog') ||
    (act.kind === 'stop' && act.victim !== 'watchdog' && act.then === 'SIGKILL')
  )
}

export const isRude = (fault: Fault): boolean => fault.kind === 'act' && fault.act.kind === 'rude'
