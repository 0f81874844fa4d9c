import type { Lab } from '../../test/lab/lab.ts'
import type { Running } from '../../test/lab/start.ts'

/** A root shell on the lab's host that is always there: a line is run within a millisecond or two. */
export interface Agent {
  readonly pid: number
  /** Runs a line of shell; whether it ended with 0. One at a time. */
  readonly try: (line: string) => Promise<boolean>
}

const ask = async (shell: Running, line: string): Promise<boolean> => {
  shell.stdin.write(`{ ${line}; } >/dev/null 2>&1; echo "agent: $?"\n`)
  const [, status] = await shell.waitFor(/agent: (\d+)\n/, 30_000)
  return status === '0'
}

export async function startAgent(lab: Lab): Promise<Agent> {
  const shell = await lab.start('host', ['sh'])
  // Until it answers it may be on its way into the host's namespaces.
  await ask(shell, ':')
  let last: Promise<unknown> = Promise.resolve()
  return {
    pid: shell.pid,
    try: (line) => {
      const answer = last.then(() => ask(shell, line))
      last = answer.catch(() => undefined)
      return answer
    },
  }
}
