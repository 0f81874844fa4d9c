import type { Lab } from '../lab/lab.ts'

/** Programs that the commands run, of which one call goes wrong. */

export interface BrokenCall {
  /** It is refused; the command that makes it is killed before it, or when it is done. */
  readonly kind: 'fail' | 'kill' | 'late'
  /** Its number, from 1. */
  readonly at: number
}

const folder = '/run/tools'
const fileOf = (name: string, suffix: 'fault' | 'calls'): string => `${folder}/${name}.${suffix}`

/** What is run in place of the program; `real` are words for a shell. */
export const breakable = (name: string, real: string): string => `#!/bin/sh
if [ -e ${fileOf(name, 'fault')} ] && read -r kind at <${fileOf(name, 'fault')}; then
  echo "$*" >>${fileOf(name, 'calls')}
  if [ "$(wc -l <${fileOf(name, 'calls')})" -eq "$at" ]; then
    case $kind in
      fail) echo 'Failed to do that' >&2; exit 1 ;;
      kill) kill -s KILL "$PPID"; exit 1 ;;
      late) ${real} "$@"; kill -s KILL "$PPID"; exit 1 ;;
    esac
  fi
fi
exec ${real} "$@"
`

/** From now on, or (undefined) not any more. */
export async function breakCall(lab: Lab, name: string, fault: BrokenCall | undefined): Promise<void> {
  await lab.ok('host', ['rm', '-f', fileOf(name, 'fault'), fileOf(name, 'calls')])
  if (fault !== undefined)
    await lab.ok('host', ['tee', fileOf(name, 'fault')], { input: `${fault.kind} ${fault.at}\n` })
}

/** The words of the call that went wrong, if it was made. */
export async function brokenCall(lab: Lab, name: string, { at }: BrokenCall): Promise<string | undefined> {
  const calls = await lab.ok('host', ['sh', '-c', `cat ${fileOf(name, 'calls')} 2>/dev/null || :`])
  return calls.split('\n').slice(0, -1)[at - 1]
}
