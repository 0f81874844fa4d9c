import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import type { Lab } from '../lab/lab.ts'
import type { Result } from '../lab/run.ts'
import type { Running } from '../lab/start.ts'
import { snapshot } from '../lab/snapshot.ts'
import { tool } from '../lab/tools.ts'

const folder = process.env['QTH_BIN'] ?? fileURLToPath(new URL('../../dist/bin', import.meta.url))

export const bin = (name: string): string => `${folder}/${name}`

export type SignalName = 'INT' | 'TERM' | 'HUP' | 'QUIT' | 'PIPE'

/**
 * What happens in place of, or at, the line `at` of all that a command tells `ip` to change, counted from 1; of the
 * `call-…` ones, in place of the call `at` of all its calls of `ip`.
 */
export type Fault = { readonly at: number } & (
  | { readonly kind: 'none' }
  /** That line is refused, as the kernel would; every later one works. */
  | { readonly kind: 'refuse' }
  /** That line and every later one is refused. */
  | { readonly kind: 'refuse-all' }
  /** That line is refused, and later every one that adds a route. */
  | { readonly kind: 'refuse-routes' }
  /** `ip` does not come back from that line, or is killed before it. */
  | { readonly kind: 'hang' | 'die' }
  /** `ip` waits before that line until `open()`. */
  | { readonly kind: 'gate' }
  | { readonly kind: 'call-refuse' | 'call-hang' | 'call-die' }
  /** strace(1) injects this into that `ip`: `sendmsg:error=EPERM:when=3`. */
  | { readonly kind: 'call-inject'; readonly inject: string }
  /**
   * The command gets the signal, and again whenever it changes something later; `ip` goes on with that line. KILL
   * takes its watchdog along.
   */
  | { readonly kind: 'signal'; readonly signal: 'INT' | 'TERM' | 'HUP' | 'KILL' }
  /** The command gets these one after the other, each when it has taken the one before, and so again whenever it changes something later. */
  | { readonly kind: 'signals'; readonly signals: readonly SignalName[] }
  /** The command and its watchdog are killed; `ip` goes on so slowly that the next command still meets it. */
  | { readonly kind: 'linger' }
  /** The command alone is killed; `ip` goes on as slowly, and its watchdog meets it. */
  | { readonly kind: 'watched' }
  /** As soon as the lines before it are done, the setting cannot be written, until `ip` is next told to change something. */
  | { readonly kind: 'read-only'; readonly path: string }
)

export interface Faulty {
  /** Runs a command of dist/bin on the host, with the fault in it. */
  readonly run: (argv: readonly string[], fault: Fault) => Promise<Result>
  /** The same, and comes back while it runs. */
  readonly start: (argv: readonly string[], fault: Fault) => Promise<Running>
  /** What the fault of the last run hit, a line for `ip` or the path of a setting; empty when it did not come about. */
  readonly hit: () => string
  /** Whether the `ip` that the last run's killed command left is still there. */
  readonly orphaned: () => Promise<boolean>
  /** For each `ip` of the last run, the number of lines that it was told to change something with. */
  readonly calls: () => readonly number[]
  /** Lets the `ip` at the gate go on. */
  readonly open: () => void
}

// `ip` for one command and its children: what changes nothing, or only asks a gateway (with -force), goes straight to
// the real one. Where it lives on, it stays the process that the command started, since that one is journalled.
const wrapper = (dir: string): string => `#!/bin/sh
dir='${dir}' real='${dir}/real-ip'
case " $* " in *' -batch - '*) ;; *) exec "$real" "$@" ;; esac
input=$(cat)
rest=\${input#* }
tell() {
  exec "$real" "$@" <<END
$input
END
}
refuse() {
  printf 'RTNETLINK answers: Operation not permitted\\nCommand failed -:%s\\n' "$1" >&2
  exit 1
}
refuse_routes() {
  line=$(printf '%s\\n' "$input" | grep -nE '^route (add|append|prepend|replace) ' | head -n 1 | cut -d: -f1)
  if [ -z "$line" ]; then tell "$@"; fi
  case " $* " in
    *' -force '*) printf '%s\\n' "$input" | grep -vE '^route (add|append|prepend|replace) ' | "$real" "$@" ;;
    *) printf '%s\\n' "$input" | head -n $((line - 1)) | "$real" "$@" || exit ;;
  esac
  refuse "$line"
}
strike() {
  if [ "$kind" != watched ] && [ "$word" = KILL ]; then
    for child in $(cat "/proc/$PPID/task/$PPID/children"); do
      if grep -qs qemu-tap-hooks-watchdog "/proc/$child/cmdline"; then kill -s KILL "$child"; fi
    done
  fi
  kill -s "$word" "$PPID"
}
send() {
  for each in $(echo "$word" | tr , ' '); do
    kill -s "$each" "$PPID"
    until grep -q '^ShdPnd:.0*$' "/proc/$PPID/status"; do :; done
  done
}
bar() {
  echo "$word" >"$dir/fired"
  mount --bind "$word" "$word" && mount -o remount,bind,ro "$word" && echo "$word" >"$dir/barred"
}
count() {
  IFS='
'
  set -f
  set -- $input
  set +f
  unset IFS
  lines=$#
}
read -r kind at word <"$dir/fault"
read -r before <"$dir/count"
if [ "\${rest#show}" != "$rest" ]; then lines=0; else count; fi
case " $* $input" in *' -force '*'neigh replace '*' nud probe' | *' -force '*'neigh replace '*' use') lines=0 ;; esac
echo "$lines" >>"$dir/calls"
case "$kind" in call-*)
  if [ -e "$dir/fired" ] || [ "$(wc -l <"$dir/calls")" -ne "$at" ]; then tell "$@"; fi
  printf '%s\\n' "$input" | head -n 1 >"$dir/fired"
  case "$kind" in
    call-refuse) refuse 1 ;;
    call-hang) exec sleep 1000 ;;
    call-die) kill -s KILL $$ ;;
  esac
  set -- -D -qq -o "$dir/trace" -e trace=sendmsg -e "inject=$word" "$real" "$@"
  real='${tool('strace')}'
  tell "$@"
  ;;
esac
if [ "\${rest#show}" != "$rest" ] && [ "$kind" = read-only ] && [ "$at" -eq 1 ] && [ ! -e "$dir/fired" ]; then bar; fi
if [ "$lines" -eq 0 ]; then tell "$@"; fi
if [ -e "$dir/fired" ]; then
  case "$kind" in
    refuse-all) refuse 1 ;;
    refuse-routes) refuse_routes "$@" ;;
    signal) strike ;;
    signals) send ;;
  esac
  if [ -e "$dir/barred" ]; then umount "$(cat "$dir/barred")"; rm "$dir/barred"; fi
  tell "$@"
fi
after=$((before + lines))
if [ "$kind" = read-only ] && [ $((at - 1)) -eq "$after" ]; then
  printf '%s\\n' "$input" | "$real" "$@" || exit
  bar
  exit 0
fi
if [ "$kind" = none ] || [ "$kind" = read-only ] || [ "$at" -gt "$after" ]; then
  echo "$after" >"$dir/count"
  tell "$@"
fi
line=$((at - before))
if [ "$line" -gt 1 ]; then printf '%s\\n' "$input" | head -n $((line - 1)) | "$real" "$@" || exit; fi
input=$(printf '%s\\n' "$input" | tail -n "+$line")
printf '%s\\n' "$input" | head -n 1 >"$dir/fired"
case "$kind" in
  refuse*) refuse "$line" ;;
  hang) exec sleep 1000 ;;
  die) kill -s KILL $$ ;;
  gate)
    until [ -e "$dir/open" ]; do sleep 0.005; done
    tell "$@"
    ;;
  signals) send; tell "$@" ;;
esac
echo $$ >"$dir/orphan"
strike
if [ "$kind" = linger ] || [ "$kind" = watched ]; then
  rm -f "$dir/fifo"
  mkfifo "$dir/fifo"
  printf '%s\\n' "$input" | while read -r each; do printf '%s\\n' "$each"; sleep 0.05; done >"$dir/fifo" &
  exec "$real" "$@" <"$dir/fifo"
fi
tell "$@"
`

const faultWords = (fault: Fault): string => {
  switch (fault.kind) {
    case 'signal':
      return `signal ${fault.at} ${fault.signal}`
    case 'signals':
      return `signals ${fault.at} ${fault.signals.join(',')}`
    case 'linger':
    case 'watched':
      return `${fault.kind} ${fault.at} KILL`
    case 'read-only':
      return `read-only ${fault.at} ${fault.path}`
    case 'call-inject':
      return `call-inject ${fault.at} ${fault.inject}`
    case 'refuse':
    case 'refuse-all':
    case 'refuse-routes':
    case 'hang':
    case 'die':
    case 'gate':
    case 'call-refuse':
    case 'call-hang':
    case 'call-die':
    case 'none':
      return `${fault.kind} ${fault.at} -`
  }
}

const readText = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8').trim() : '')

// Only in a mount namespace of the command's own, so that the lab keeps its `ip`.
const script = 'mount --bind "$1" "$2"; shift 2; exec "$@"'

/** Commands in this lab whose `ip` fails from outside: nothing in what is tested knows of it. */
export async function faultyIp(lab: Lab): Promise<Faulty> {
  const file = (name: string): string => join(lab.dir, name)
  writeFileSync(file('faulty-ip'), wrapper(lab.dir), { mode: 0o755 })
  await lab.ok('host', ['cp', tool('ip'), file('real-ip')])
  const prepare = ([name = '', ...args]: readonly string[], fault: Fault): readonly string[] => {
    for (const each of ['fired', 'barred', 'orphan', 'open', 'trace']) rmSync(file(each), { force: true })
    writeFileSync(file('fault'), `${faultWords(fault)}\n`)
    writeFileSync(file('count'), '0\n')
    writeFileSync(file('calls'), '')
    const inner = ['sh', '-ec', script, 'fault', file('faulty-ip'), tool('ip'), bin(name), ...args]
    return ['unshare', '--mount', ...inner]
  }
  const hit = (): string => {
    const isTraced = readText(file('fault')).startsWith('call-inject')
    const isHit = !isTraced || /INJECTED|killed by/.test(readText(file('trace')))
    return isHit ? readText(file('fired')) : ''
  }
  return {
    run: (argv, fault) => lab.run('host', prepare(argv, fault)),
    start: (argv, fault) => lab.start('host', prepare(argv, fault)),
    hit,
    orphaned: async () => (await lab.run('host', ['kill', '-0', readText(file('orphan'))])).exit === 0,
    calls: () => readText(file('calls')).split('\n').filter(Boolean).map(Number),
    open: () => {
      writeFileSync(file('open'), '')
    },
  }
}

/** Of the host, with the bridge's random id left out. */
export const shot = async (lab: Lab): Promise<string> =>
  (await snapshot(lab)).replaceAll(/(?<=qemu-tap-hooks )[0-9a-f]+/g, 'ID')

/** What a program does, as shell words: as soon as it is in the journal its caller dies, and it goes on for a moment. */
export const outlivingItsCaller =
  'until grep -qs "\\"child\\":{\\"pid\\":$$," /run/qemu-tap-hooks/*/journal-*.json; do sleep 0.01; done; kill -9 $PPID; sleep 0.3'
