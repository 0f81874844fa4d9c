import { readFileSync } from 'node:fs'
import { runFed } from './fed.ts'
import { ancestorsOf, commandName } from './process.ts'
import { isExecutable } from './program.ts'

/** Those that begin a child again that has ended: runit(8), s6(8), daemontools(8), OpenRC, supervisord(1). */
const supervisors = new Set(['runsv', 's6-supervise', 'supervise', 'supervise-daemo', 'supervisord'])

const places = ['/usr/bin/systemctl', '/bin/systemctl']
const seconds = 5

/** Who would begin a process again that is killed: `runsv`, or `systemd (dhcpcd@eth0.service)`. */
export async function supervisorOf(pid: number): Promise<string | undefined> {
  // With one shell between them at most: what somebody began on such a machine by hand is not supervised.
  const supervisor = ancestorsOf(pid)
    .slice(0, 2)
    .filter((ancestor) => ancestor > 1)
    .map((ancestor) => commandName(ancestor) ?? '')
    .find((name) => supervisors.has(name))
  if (supervisor !== undefined) return supervisor
  const unit = serviceOf(pid)
  const systemctl = places.find(isExecutable)
  if (unit === undefined || systemctl === undefined) return undefined
  const properties = ['Restart', 'MainPID', 'ExecStop', 'ExecStopPost']
  const { stdout } = await runFed(systemctl, ['show', `--property=${properties.join(',')}`, unit], {
    input: '',
    seconds,
  })
  return wouldAct(stdout, pid) ? `systemd (${unit})` : undefined
}

/** Begins it again; or, where it is the main process of a unit, runs what may release its lease (systemd.service(5), ExecStop=). */
function wouldAct(text: string, pid: number): boolean {
  const value = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1] ?? ''
  const isMain = value('MainPID') === String(pid)
  const acts = value('ExecStop') !== '' || value('ExecStopPost') !== ''
  return !['', 'no'].includes(value('Restart')) || (isMain && acts)
}

/** The innermost of systemd's services that it runs in (cgroups(7)). */
function serviceOf(pid: number): string | undefined {
  try {
    const last = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trimEnd().split('/').at(-1) ?? ''
    return last.endsWith('.service') ? last : undefined
  } catch {
    return undefined
  }
}
