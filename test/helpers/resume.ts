import { readFileSync } from 'node:fs'

import type { Running } from '../lab/start.ts'

/** nsenter stops itself when its child is stopped, and wakes the child when it is woken. */
export function resume({ pid }: Running): void {
  const parent = /^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  process.kill(Number(parent), 'SIGCONT')
}
