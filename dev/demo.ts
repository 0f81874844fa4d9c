// `npm run demo`: the whole story in throw-away namespaces. Every figure is measured in this run, and the exit code is
// 0 only if everything that is claimed held.
import { constants } from 'node:os'

import { openLab } from '../test/lab/lab.ts'
import { tellStory } from './demo/story.ts'
import { claim, summary, say } from './demo/tell.ts'

const opening = openLab()
let stopping = false

/** The lab, with all that runs in it, is gone before this process is. */
function stopBy(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP'): void {
  if (stopping) return
  stopping = true
  void opening
    .then((lab) => lab.close())
    .catch(() => undefined)
    .finally(() => process.exit(128 + constants.signals[signal]))
}

// Often twice: from the terminal, and passed on by the programs that started this one.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopBy(signal))

const untilExit = (): Promise<never> => new Promise(() => setInterval(() => undefined, 60_000))

async function demo(): Promise<void> {
  try {
    const lab = await opening.catch((error: unknown) => {
      say(
        'The network namespaces cannot be made. As an ordinary user this needs user namespaces (Debian: sysctl',
      )
      say(
        'kernel.unprivileged_userns_clone=1, Ubuntu: kernel.apparmor_restrict_unprivileged_userns=0); or: sudo npm run demo',
      )
      throw error
    })
    try {
      await tellStory(lab)
    } finally {
      await lab.close()
    }
  } catch (error) {
    if (stopping) await untilExit()
    claim(false, error instanceof Error ? error.message : String(error))
  }
  process.exitCode = summary()
}

await demo()
