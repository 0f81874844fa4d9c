import type { Lab } from '../lab/lab.ts'
import type { Result } from '../lab/run.ts'
import { bin } from './faults.ts'

/** A command whose iptables lists nothing: where the host has rules of iptables, its firewall cannot be read. */
export async function blind(lab: Lab, line: string): Promise<Result> {
  const path = `${lab.dir}/xtables`
  await lab.ok('host', [
    'sh',
    '-c',
    `printf '#!/bin/sh\\necho broken >&2; exit 1\\n' >${path}; chmod +x ${path}`,
  ])
  const mount = `mount --bind ${path} "$(readlink -f /usr/sbin/iptables-nft)"; exec "$@"`
  const [name = '', ...args] = line.split(' ')
  return lab.run('host', ['unshare', '--mount', 'sh', '-ec', mount, 'sh', bin(name), ...args])
}
