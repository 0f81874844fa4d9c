import { basename, dirname } from 'node:path'
import { keeperPath, keeperText, keptBy, keptLink, type Launch } from '../dhcp-keeper.ts'
import { stateFolder } from '../dhcp-script.ts'
import type { DhcpClient } from '../owner-state.ts'
import { spawnDaemon } from './detached.ts'
import { clientFolder } from './dhcp-processes.ts'
import { placeFile, readText } from './files.ts'
import { commandLine, isRoots, processesHere, startTimeOf, type ProcessId } from './process.ts'

/** What begins DHCP clients on bridges again, among the processes. */

export interface Keeper {
  readonly process: ProcessId
  readonly client: DhcpClient
}

/** Of this network namespace: those that brup began, or a script that it printed. */
export const keepers = (): readonly Keeper[] =>
  processesHere('sh').flatMap((pid) => {
    const path = scriptOf(pid)
    const text = path === undefined || !isRoots(pid) ? undefined : readText(path)
    const client = text === undefined ? undefined : keptBy(text)
    const startTime = startTimeOf(pid)
    return client === undefined || startTime === undefined ? [] : [{ process: { pid, startTime }, client }]
  })

function scriptOf(pid: number): string | undefined {
  const [program, path = ''] = commandLine(pid)
  const isOurs =
    [clientFolder(), stateFolder].includes(dirname(path)) && keptLink(basename(path)) !== undefined
  return program === shell && isOurs ? path : undefined
}

const shell = '/bin/sh'

/** `fresh` is the path of the file that tells udhcpc's first run. */
export function startKeeper(client: DhcpClient, launch: Launch, fresh: string | undefined): void {
  const path = keeperPath(client, clientFolder())
  placeFile(path, keeperText(client, launch, fresh), 0o600)
  spawnDaemon(shell, [path], {})
}
