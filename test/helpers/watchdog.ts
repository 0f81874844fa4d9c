import type { Lab } from '../lab/lab.ts'

/**
 * For a shell: prints the pids whose command line, words apart by blanks, fits the pattern `$1`, but not its own, in which the
 * pattern is. All of /proc is read, since the children that a process lists lack living ones while others end (proc(5)).
 */
export const processScript = `for dir in /proc/[0-9]*; do
  line=$(tr '\\0' ' ' <$dir/cmdline) && case $line in $1) [ "\${dir#/proc/}" = $$ ] || echo "\${dir#/proc/}" ;; esac
done 2>/dev/null; :`

/** The processes in a lab, as they see each other, whose command line fits a pattern of the shell. */
export async function processesLike(lab: Lab, pattern: string): Promise<readonly number[]> {
  const said = await lab.ok('host', ['sh', '-c', processScript, 'sh', pattern])
  return said.split('\n').filter(Boolean).map(Number)
}

export const watchdogs = (lab: Lab): Promise<readonly number[]> =>
  processesLike(lab, 'qemu-tap-hooks-watchdog*')
