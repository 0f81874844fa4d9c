import { readFileSync } from 'node:fs'

/** CAP_NET_ADMIN, from include/uapi/linux/capability.h */
const netAdmin = 12n

/** Whether this process may change the network: its effective capabilities, root or not. */
export function mayChangeNetwork(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]
  return effective !== undefined && (BigInt(`0x${effective}`) & (1n << netAdmin)) !== 0n
}
