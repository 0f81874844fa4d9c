import { resolvectlWords, savedFolder } from '../resolved-words.ts'
import type { ResolvedStep } from '../owner-step.ts'
import { quoted } from '../shell.ts'

/** What systemd-resolved is told, as lines of a shell. */
export function resolvedLines(step: ResolvedStep): readonly string[] {
  switch (step.op) {
    case 'dns.set':
    case 'dns.revert':
      return [['resolvectl', ...resolvectlWords(step).map(quoted)].join(' ')]
    case 'dns.hold':
      return [`chmod u-w ${savedFolder} || :`]
    case 'dns.release':
      return [
        `chmod u+w ${savedFolder} || :`,
        ...Object.entries(step.settings).flatMap(([key, values]) =>
          resolvedLines({ op: 'dns.set', dev: step.dev, key, values }),
        ),
      ]
  }
}
