import type { Lab } from '../lab/lab.ts'
import { tool } from '../lab/tools.ts'

/** For a shell in the lab's own mount namespace: `ip netns exec` gives each command a copy of it. */
export const inMountsOf = (lab: Lab, script: string): Promise<string> =>
  lab.ok('host', [tool('nsenter'), '--target', '1', '--mount', 'sh', '-ec', script])

/** Folders of the machine as if these files were in them, too. */
export const overlay = (from: string, onto: string): string =>
  `mount -t overlay -o 'lowerdir=${from}:${onto}' lab '${onto}'`
