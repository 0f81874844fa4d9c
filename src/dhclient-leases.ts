/** The file of leases of a dhclient, as text; those of IPv4. */

/** A time in it that tells: this lease is in use on another link. */
export const longAgo = '6 2000/01/01 00:00:00'

const anyLease = /^lease \{\n(?:(?!\}).*\n)*\}\n/gmu

const isEnded = (lease: string): boolean => lease.includes(`\n  expire ${longAgo};\n`)

/** The last one of a link once more, as over: a dhclient that begins there takes up what lasts, also where nobody answers it. */
export function endedLease(leases: string, dev: string): string {
  const last = lastOf(leases, dev)
  return isEnded(last) ? '' : last.replace(/^ {2}(renew|rebind|expire) .*;$/gmu, `  $1 ${longAgo};`)
}

const lastOf = (leases: string, dev: string): string =>
  (leases.match(anyLease) ?? []).findLast((lease) => lease.includes(`\n  interface "${dev}";\n`)) ?? ''

/** One that dhclient has got since is there anew. */
export const isLastEnded = (leases: string, dev: string): boolean => isEnded(lastOf(leases, dev))

export const hasEnded = (leases: string): boolean => (leases.match(anyLease) ?? []).some(isEnded)

export const withoutEnded = (leases: string): string =>
  leases.replace(anyLease, (lease) => (isEnded(lease) ? '' : lease))
