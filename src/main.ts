import { closeSync } from 'node:fs'
import { basename } from 'node:path'
import { isatty } from 'node:tty'
import { runCommand } from './cli.ts'
import { watchdogName, type Command, type Host } from './host.ts'

/** An entry point's whole work: the process becomes a Host, the result its exit code. */
export async function main<Args>(
  command: Command<Args>,
  watchdog?: (host: Host) => Promise<void>,
): Promise<void> {
  leaveLostTerminals()
  // Files are for brstatus, which anybody may run, and for those that we begin; what is secret says so.
  process.umask(0o022)
  const host = hostOfProcess()
  if (watchdog !== undefined && process.argv0 === watchdogName) await watchdog(host)
  else process.exitCode = await runCommand(command, host)
}

function hostOfProcess(): Host {
  const [node = '', script = '', ...argv] = process.argv
  return {
    argv,
    programName: basename(script),
    program: [node, '--', script],
    env: process.env,
    stdout: writerTo(process.stdout),
    stderr: writerTo(process.stderr),
    stdoutIsTerminal: process.stdout.isTTY,
    stderrIsTerminal: process.stderr.isTTY,
    stdinIsTerminal: isatty(0),
    nextLine: (signal) => nextLine(process.stdin, signal),
    ...signalsOfProcess(),
  }
}

/** A reader that went away (`brup | head`, a closed terminal) must never end a transaction. */
function writerTo(stream: NodeJS.WriteStream): (text: string) => void {
  stream.on('error', () => undefined)
  return (text) => {
    if (text !== '') stream.write(text)
  }
}

/** Reads only while somebody waits: otherwise an open stdin would keep the process from ending. */
function nextLine(stream: NodeJS.ReadStream, signal?: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text = ''
    const finish = (line: string | undefined): void => {
      stream.off('data', onData).off('end', onEnd).off('error', onEnd).pause()
      signal?.removeEventListener('abort', onEnd)
      resolve(line)
    }
    const onEnd = (): void => {
      finish(undefined)
    }
    const onData = (chunk: Buffer): void => {
      text += chunk.toString('utf8')
      const [line = '', rest] = text.split(/\n(.*)/s)
      if (rest === undefined) return
      if (rest !== '') stream.unshift(Buffer.from(rest))
      finish(line)
    }
    if (stream.readableEnded) {
      resolve(undefined)
      return
    }
    stream.on('data', onData).on('end', onEnd).on('error', onEnd).resume()
    signal?.addEventListener('abort', onEnd)
  })
}

/** At its end node resets the terminals that it found, and aborts where one has hung up; not where it is closed. */
function leaveLostTerminals(): void {
  const terminals = [0, 1, 2].filter((fd) => isatty(fd))
  process.on('exit', () => {
    for (const fd of terminals) if (!isatty(fd)) closeSync(fd)
  })
}

/** The handlers stay for good: a second Ctrl-C must not kill the rollback that the first one began. */
function signalsOfProcess(): Pick<Host, 'signal' | 'received'> {
  const controller = new AbortController()
  const received: NodeJS.Signals[] = []
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const)
    process.on(name, () => {
      received.push(name)
      controller.abort(name)
    })
  return { signal: controller.signal, received }
}
