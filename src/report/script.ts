import { beginLines, endLine } from './client-lines.ts'
import { hereDocument, quoted } from '../shell.ts'
import {
  forgetWords,
  releaseWords,
  toldFile,
  toldFolder,
  upWords,
  recalledLines,
  releasedLine,
  stateFile,
} from '../manager-words.ts'
import { netifFolder, unitFolder } from '../networkd-files.ts'
import { resolvedLines } from './resolved-lines.ts'
import type { Plan } from '../plan/planner.ts'
import { isManagerStep, isResolvedStep, type ManagerStep, type NetworkdStep } from '../owner-step.ts'
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
  if (step.op === 'client.stop') return endLine(step.client)
  if (step.op === 'client.start') return beginLines(step).join('\n')
  if (isManagerStep(step)) return managerLines(step).join('\n')
  if (step.op === 'networkd.units') return unitLines(step).join('\n')
  if (step.op === 'resolvconf.add')
    return hereDocument(`resolvconf -a ${quoted(step.record.name)}`, step.record.text.trimEnd().split('\n'))
  if (step.op === 'resolvconf.del') return `resolvconf -d ${quoted(step.record.name)}`
  if (isResolvedStep(step)) return resolvedLines(step).join('\n')
  if (step.op === 'sysctl.set')
    return `sysctl -qw ${quoted(`${sysctlPath(step.sysctl)}=${step.sysctl.value}`)}`
  if (isBridgeStep(step)) return ['bridge', ...bridgeWords(step)].join(' ')
  return ['ip', ...ipOptions(step), ...ipWords(step, now).map(quoted)].join(' ')
}

function managerLines(step: ManagerStep): readonly string[] {
  if (step.op === 'nm.tell') {
    const file = toldFile(step.bridge)
    const change =
      step.text === undefined
        ? `rm -f ${quoted(file)}`
        : hereDocument(`mkdir -p ${toldFolder} && cat >${quoted(file)}`, step.text.trimEnd().split('\n'))
    return [change, 'nmcli general reload']
  }
  if (step.op === 'nm.recall') {
    const lines = recalledLines(step.to).join('\\n')
    return [`sed -i ${quoted(`s/^${releasedLine}$/${lines}/`)} ${stateFile(step.index)} || :`]
  }
  const words =
    step.op === 'nm.release'
      ? releaseWords(step.dev, step.to)
      : step.op === 'nm.forget'
        ? forgetWords(step.dev, step.to)
        : upWords(step.dev, step.to)
  return words.map((line) => ['nmcli', ...line.map(quoted)].join(' '))
}

const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/'))

function unitLines({ put, remove, passing, reload }: NetworkdStep): readonly string[] {
  const path = (name: string): string => quoted(`${unitFolder}/${name}`)
  const written = [...put, ...passing].flatMap(({ name, text }) => [
    `mkdir -p ${quoted(folderOf(`${unitFolder}/${name}`))}`,
    hereDocument(
      `install -m 640 -g $(stat -c %g ${netifFolder}) /dev/stdin ${path(name)}`,
      text.trimEnd().split('\n'),
    ),
  ])
  const gone = (names: readonly string[]): readonly string[] =>
    names.length === 0 ? [] : [`rm -f ${names.map(path).join(' ')}`]
  return [
    ...written,
    ...gone(remove),
    ...(reload ? ['networkctl reload'] : []),
    ...(passing.length > 0 ? ['# when it has read them'] : []),
    ...gone(passing.map(({ name }) => name)),
  ]
}

/** The whole plan as a shell script that would do the same, with remarks at its head. */
export function scriptOf(plan: Plan, now: number, remarks: readonly string[] = []): string {
  const commands = (steps: readonly Step[]): readonly string[] => steps.map((step) => stepCommand(step, now))
  const lines = [
    '#!/bin/sh -e',
    ...remarks.map((line) => `# ${line}`),
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
  const rest = steps.filter((step) => !isIpStep(step))
  const isFirst = (step: Step): boolean => step.op === 'dns.hold'
  return [
    ...rest.filter(isFirst).map((step) => stepCommand(step, now)),
    hereDocument('ip -batch -', lines),
    ...rest.filter((step) => !isFirst(step)).map((step) => stepCommand(step, now)),
  ]
}
