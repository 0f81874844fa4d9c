import { readText } from './files.ts'

/** Whether ifupdown has brought a link up: `eth0=eth0` in its state (ifup(8)). */
export const isIfupdowns = (dev: string): boolean =>
  (readText('/run/network/ifstate') ?? '').split('\n').some((line) => line.split('=')[0] === dev)
