import { clientInTheWay } from '../kernel/dhcp-clients.ts'
import { processesHere } from '../kernel/process.ts'

/** Who manages an uplink, and would sooner or later put its own configuration back there. */
export interface Owner {
  readonly name: string
  readonly pid: number
  /** How to make it let go. */
  readonly release: string
}

/** Programs that own all links and go along with none, by the name of their process (15 bytes at most). */
const strangers: Readonly<Record<string, Omit<Owner, 'pid'>>> = {
  connmand: { name: 'ConnMan', release: 'stop connmand' },
}

/** The first one of this network namespace that cannot be taken along to a bridge. */
export async function uplinkOwner(uplink: string): Promise<Owner | undefined> {
  for (const [name, stranger] of Object.entries(strangers)) {
    const [pid] = processesHere(name)
    if (pid !== undefined) return { ...stranger, pid }
  }
  const client = await clientInTheWay(uplink)
  if (client === undefined) return undefined
  const { name, pid, reason } = client
  return {
    name,
    pid,
    release: `${reason}: begin one for ${uplink} alone, or stop it without releasing the lease`,
  }
}
