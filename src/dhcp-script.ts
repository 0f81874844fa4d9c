import { clientWords, scriptOption, wordsOf } from './client-words.ts'
import type { DhcpClient } from './owner-state.ts'

/**
 * What dhclient and udhcpc run before their own script (QEMU_TAP_HOOKS_SCRIPT) where they begin on a link that has its address and
 * its routes already: they must not take them off first, and what they are given then is no news.
 */
const dhcpScriptText = `#!/bin/sh
PATH=/usr/sbin:/sbin:/usr/bin:/bin

has_address() {
  [ -n "$new_ip_address" ] && [ -n "$(ip -4 addr show dev "$interface" to "$new_ip_address/32")" ]
}

case \${1-}\${reason-} in
  PREINIT | PREINIT6)
    exit 0
    ;;
  deconfig)
    # The first one is only the beginning, a later one the end of the lease.
    if [ -e "$QEMU_TAP_HOOKS_FRESH" ]; then
      rm "$QEMU_TAP_HOOKS_FRESH"
      exit 0
    fi
    ;;
  BOUND | REBOOT)
    if has_address; then
      reason=RENEW
      old_ip_address=$new_ip_address
      export reason old_ip_address
    fi
    ;;
  TIMEOUT)
    # Nobody answers: the lease goes on, as it would have without a new beginning.
    if has_address; then exit 0; fi
    ;;
esac

exec "$QEMU_TAP_HOOKS_SCRIPT" "$@"
`

/** Not in /run, from which many systems execute nothing. */
export const stateFolder = '/var/lib/qemu-tap-hooks'
export const dhcpScript = `${stateFolder}/dhcp-script`
export const scriptVariable = 'QEMU_TAP_HOOKS_SCRIPT'
export const freshVariable = 'QEMU_TAP_HOOKS_FRESH'

export const leaseScript = `${stateFolder}/lease-script`

/**
 * The address of the lease is there already: it gets its new time, and nothing else changes. Another address takes its place, with
 * a default route of the same metric. What is for ever was not leased.
 */
const leaseScriptText = `#!/bin/sh
PATH=/usr/sbin:/sbin:/usr/bin:/bin

leased() {
  ip -4 -o addr show dev "$interface" dynamic "$@" | awk '{ print $4 }'
}

case $1 in
  bound | renew)
    here=$(ip -4 -o addr show dev "$interface" to "$ip/32" | awk '{ print $4; exit }')
    if [ -n "$here" ]; then
      exec ip -4 addr change "$here" dev "$interface" valid_lft "$lease" preferred_lft "$lease"
    fi
    metric=\${IF_METRIC-}
    [ -n "$metric" ] || metric=$(ip -4 route show default dev "$interface" | sed -n 's/.* metric \\([0-9]*\\).*/\\1/p' | head -n 1)
    for old in $(leased); do ip -4 addr del "$old" dev "$interface"; done
    ip -4 addr add "$ip/$mask" brd + dev "$interface" \${metric:+metric $metric} valid_lft "$lease" preferred_lft "$lease"
    for gateway in $router; do
      ip -4 route replace default via "$gateway" dev "$interface" proto dhcp src "$ip" \${metric:+metric $metric}
      break
    done
    ;;
  deconfig)
    for old in $(leased); do ip -4 addr del "$old" dev "$interface"; done
    ;;
esac
`

/** What the client needs of ours, by path. */
export const scriptsFor = ({ name, words, confined }: DhcpClient): ReadonlyMap<string, string> =>
  new Map([
    ...(name === 'dhcpcd' || confined ? [] : ([[dhcpScript, dhcpScriptText]] as const)),
    ...(words.includes(leaseScript) ? ([[leaseScript, leaseScriptText]] as const) : []),
  ])

/**
 * Where no server answers within seconds, dhcpcd drops its lease's address, or (with `--lastlease` alone) its routes, for a
 * link-local address: measured on 9.4.1. With both it goes on as it would have without a new beginning.
 */
const patience = ['-E', '-L']

/** How to begin a client so that our script runs before its own; `fresh` is the path of the file that tells udhcpc's first run. */
export function throughScript(
  { name, words, env, confined }: DhcpClient,
  fresh: string,
): Pick<DhcpClient, 'words' | 'env'> {
  if (name === 'dhcpcd')
    return { words: [...patience, ...words.filter((word) => !patience.includes(word))], env }
  const parts = clientWords(name, words)
  const key = scriptOption[name]
  const script = key === undefined ? undefined : parts?.own.get(key)
  if (confined || parts === undefined || key === undefined || script === undefined) return { words, env }
  const own = new Map([...parts.own, [key, dhcpScript]])
  if (name === 'dhclient')
    return {
      words: wordsOf(name, { ...parts, own, rest: [...parts.rest, '-e', `${scriptVariable}=${script}`] }),
      env,
    }
  return {
    words: wordsOf(name, { ...parts, own }),
    env: { ...env, [scriptVariable]: script, [freshVariable]: fresh },
  }
}
