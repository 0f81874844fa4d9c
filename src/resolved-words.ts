import type { ResolvedStep } from './owner-step.ts'

/** Where systemd-resolved keeps what it was told at run time, a file for each link by its index. */
export const savedFolder = '/run/systemd/resolve/netif'

/** The words for resolvectl. */
export const resolvectlWords = (
  step: Extract<ResolvedStep, { op: 'dns.set' | 'dns.revert' }>,
): readonly string[] =>
  step.op === 'dns.revert'
    ? ['revert', step.dev]
    : [step.key, step.dev, ...(step.values.length === 0 ? [''] : step.values)]
