import type { Plan } from '../plan/planner.ts'
import {
  batchLine,
  bridgeWords,
  ipOptions,
  ipWords,
  isBridgeStep,
  isIpStep,
  sysctlPath,
  type Step,
} from '../step.ts'

/** A step as the command that does it; `now` in seconds of CLOCK_BOOTTIME, for what is left of lifetimes. */
export function stepCommand(step: Step, now: number): string {
  if (step.op === 'nft.load') return hereDocument('nft -f -', step.text.split('\n'))
  if (step.op === 'zone.join' || step.op === 'zone.leave') {
    const verb = step.op === 'zone.join' ? 'change' : 'remove'
    return `firewall-cmd --zone=${quoted(step.zone)} --${verb}-interface=${quoted(step.dev)}`
  }
  if (step.op === 'firewall.load')
    return step.tool === 'nft'
      ? hereDocument('nft -f -', step.lines)
      : hereDocument(`${step.tool}-restore -w --noflush`, ['*filter', ...step.lines, 'COMMIT'])
  if (step.op === 'dnsmasq.start')
    return `bash -c 'exec -a qemu-tap-hooks-dnsmasq dnsmasq "$@"' bash ${step.words.map(quoted).join(' ')}`
  if (step.op === 'dnsmasq.stop') {
    const pattern = `^qemu-tap-hooks-dnsmasq --interface=${step.bridge.replaceAll('.', '[.]')} `
    return `pkill --ns $$ --nslist net -f ${quoted(pattern)} || :`
  }
  if (step.op === 'sysctl.set')
    return `sysctl -qw ${quoted(`${sysctlPath(step.sysctl)}=${step.sysctl.value}`)}`
  if (isBridgeStep(step)) return ['bridge', ...bridgeWords(step)].join(' ')
  return ['ip', ...ipOptions(step), ...ipWords(step, now).map(quoted)].join(' ')
}

const hereDocument = (command: string, lines: readonly string[]): string =>
  [`${command} <<'END'`, ...lines, 'END'].join('\n')

export const quoted = (word: string): string =>
  /^[\w.,:/@%+=^-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`

/** The whole plan as a shell script that would do the same. */
export function scriptOf(plan: Plan, now: number): string {
  const commands = (steps: readonly Step[]): readonly string[] => steps.map((step) => stepCommand(step, now))
  const lines = [
    '#!/bin/sh -e',
    ...commands(plan.prepare),
    ...(plan.change.length === 0 ? [] : ['# the switch', ...changeLines(plan.change, now), '# tidy up']),
    ...commands(plan.finish),
  ]
  return `${lines.join('\n')}\n`
}

/** The lines of the way back belong together: between two processes the host would be silent for too long. */
function changeLines(steps: readonly Step[], now: number): readonly string[] {
  const [only, ...others] = steps
  if (only !== undefined && others.length === 0) return [stepCommand(only, now)]
  const lines = steps.filter(isIpStep).map((step) => batchLine(ipWords(step, now)))
  return [hereDocument('ip -batch -', lines)]
}
