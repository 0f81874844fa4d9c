import { closeSync } from 'node:fs'
import { basename } from 'node:path'
import { isatty } from 'node:tty'
import { runCommand } from './cli.ts'
import type { Command, Host } from './host.ts'

/** An entry point's whole work: the process becomes a Host, the result its exit code. */
export async function main<Args>(command: Command<Args>): Promise<void> {
  leaveLostTerminals()
  process.exitCode = await runCommand(command, hostOfProcess())
}

function hostOfProcess(): Host {
  return {
    argv: process.argv.slice(2),
    programName: basename(process.argv[1] ?? ''),
    env: process.env,
    stdout: writerTo(process.stdout),
    stderr: writerTo(process.stderr),
    stdoutIsTerminal: process.stdout.isTTY,
    stderrIsTerminal: process.stderr.isTTY,
    signal: signalOfProcess(),
  }
}

/** A reader that went away (`brup | head`, a closed terminal) must never end a transaction. */
function writerTo(stream: NodeJS.WriteStream): (text: string) => void {
  stream.on('error', () => undefined)
  return (text) => {
    if (text !== '') stream.write(text)
  }
}

/** At its end node resets the terminals that it found, and aborts where one has hung up; not where it is closed. */
function leaveLostTerminals(): void {
  const terminals = [0, 1, 2].filter((fd) => isatty(fd))
  process.on('exit', () => {
    for (const fd of terminals) if (!isatty(fd)) closeSync(fd)
  })
}

/** The handlers stay for good: a second Ctrl-C must not kill the rollback that the first one began. */
function signalOfProcess(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const)
    process.on(name, () => {
      controller.abort(name)
    })
  return controller.signal
}
