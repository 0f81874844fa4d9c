import { existsSync, writeFileSync } from 'node:fs'
import { readText } from './files.ts'

/** The hierarchies that systemd watches, by their names in /proc/PID/cgroup, and where they are (cgroups(7)): the first that is there. */
const hierarchies: Readonly<Record<string, readonly string[]>> = {
  '': ['/sys/fs/cgroup/unified', '/sys/fs/cgroup'],
  'name=systemd': ['/sys/fs/cgroup/systemd'],
}

/** `ip netns exec` hides them from us. */
const views = ['', '/proc/1/root']

/**
 * systemd ends what is left in the cgroup of a session or of a service (systemd.kill(5), KillMode=; logind.conf(5),
 * KillUserProcesses=). What we leave running must outlive both: from here on we, and all that we start, are where process 1 is.
 * Where that cannot be, all stays as it is.
 */
export function joinInit(): void {
  const own = cgroupsOf('self')
  for (const [hierarchy, path] of cgroupsOf(1)) {
    const procs = views
      .flatMap((view) => (hierarchies[hierarchy] ?? []).map((root) => `${view}${root}${path}/cgroup.procs`))
      .find((file) => existsSync(file))
    if (procs === undefined || own.get(hierarchy) === path) continue
    try {
      writeFileSync(procs, '0')
    } catch {
      // A container that may not.
    }
  }
}

/** By hierarchy; the unified one has no name: `0::/init.scope`. */
const cgroupsOf = (pid: number | 'self'): ReadonlyMap<string, string> =>
  new Map(
    (readText(`/proc/${pid}/cgroup`) ?? '').split('\n').flatMap((line) => {
      const [, hierarchy = '', path = ''] = /^\d+:([^:]*):(.*)$/u.exec(line) ?? []
      return path === '' ? [] : [[hierarchy, path.replace(/\/$/u, '')] as const]
    }),
  )
