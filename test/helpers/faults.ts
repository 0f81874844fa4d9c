import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import type { Lab } from '../lab/lab.ts'
import type { Result } from '../lab/run.ts'
import { snapshot } from '../lab/snapshot.ts'
import { tool } from '../lab/tools.ts'

const folder = process.env['QTH_BIN'] ?? fileURLToPath(new URL('../../dist/bin', import.meta.url))

export const bin = (name: string): string => `${folder}/${name}`

export type SignalName = 'INT' | 'TERM' | 'HUP' | 'QUIT' | 'PIPE'

/** What happens in place of, or at, the line `at` of all that a command tells `ip` to change, counted from 1. */
export type Fault = { readonly at: number } & (
  | { readonly kind: 'none' }
  /** That line is refused, as the kernel would; every later one works. */
  | { readonly kind: 'refuse' }
  /** That line and every later one is refused. */
  | { readonly kind: 'refuse-all' }
  /** `ip` does not come back from that line. */
  | { readonly kind: 'hang' }
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
  /** What the fault of the last run hit, a line for `ip` or the path of a setting; empty when it did not come about. */
  readonly hit: () => string
  /** Whether the `ip` that the last run's killed command left is still there. */
  readonly orphaned: () => Promise<boolean>
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
read -r kind at word <"$dir/fault"
before=$(cat "$dir/count")
if [ "\${rest#show}" != "$rest" ]; then
  if [ "$kind" = read-only ] && [ "$at" -eq 1 ] && [ ! -e "$dir/fired" ]; then bar; fi
  tell "$@"
fi
case " $* $input" in *' -force '*'neigh replace '*' nud probe' | *' -force '*'neigh replace '*' use') tell "$@" ;; esac
if [ -e "$dir/fired" ]; then
  case "$kind" in
    refuse-all) refuse 1 ;;
    signal) strike ;;
    signals) send ;;
  esac
  if [ -e "$dir/barred" ]; then umount "$(cat "$dir/barred")"; rm "$dir/barred"; fi
  tell "$@"
fi
after=$((before + $(printf '%s\\n' "$input" | wc -l)))
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
    case 'refuse':
    case 'refuse-all':
    case 'hang':
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
  const run: Faulty['run'] = (argv, fault) => {
    for (const name of ['fired', 'barred', 'orphan']) rmSync(file(name), { force: true })
    writeFileSync(file('fault'), `${faultWords(fault)}\n`)
    writeFileSync(file('count'), '0\n')
    const [name = '', ...args] = argv
    const inner = ['sh', '-ec', script, 'fault', file('faulty-ip'), tool('ip'), bin(name), ...args]
    return lab.run('host', ['unshare', '--mount', ...inner])
  }
  const orphaned = async (): Promise<boolean> =>
    (await lab.run('host', ['kill', '-0', readText(file('orphan'))])).exit === 0
  return { run, hit: () => readText(file('fired')), orphaned }
}

/** Of the host, with the bridge's random id left out. */
export const shot = async (lab: Lab): Promise<string> =>
  (await snapshot(lab)).replaceAll(/(?<=qemu-tap-hooks )[0-9a-f]+/g, 'ID')
