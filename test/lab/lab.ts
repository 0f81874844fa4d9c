import { startKeeper } from './keeper.ts'
import { runIn, type Result, type RunOptions } from './run.ts'
import { startIn, type Running } from './start.ts'
import { topologyScript, type Node, type Topology } from './topology.ts'

export interface LabOptions extends Topology {
  /** In a user namespace of an ordinary user; always so when this process is not root's. */
  readonly asUser?: boolean
}

/** A private network of three namespaces (see topology.ts). */
export interface Lab {
  readonly dir: string
  readonly asUser: boolean
  readonly run: (node: Node, argv: readonly string[], options?: RunOptions) => Promise<Result>
  /** Its stdout; throws with its stderr when it does not exit with 0. */
  readonly ok: (node: Node, argv: readonly string[], options?: RunOptions) => Promise<string>
  /** Lines for `ip -batch -`. Throws at the first that fails. */
  readonly ip: (node: Node, lines: string | readonly string[]) => Promise<string>
  readonly start: (node: Node, argv: readonly string[], options?: RunOptions) => Promise<Running>
  readonly close: () => Promise<void>
}

/**
 * Opens a lab: the machine's own network is out of its reach, and everything in it (processes, namespaces, `dir`) is
 * gone after `close()` or when this process ends in any way. Throws where namespaces are not allowed.
 */
export async function openLab(options: LabOptions = {}): Promise<Lab> {
  const asUser = options.asUser === true || process.getuid?.() !== 0
  const keeper = await startKeeper({ asUser, script: topologyScript(options) })
  const run: Lab['run'] = (node, argv, runOptions = {}) => runIn(keeper, node, argv, runOptions)
  const ok: Lab['ok'] = async (node, argv, runOptions = {}) => {
    const { exit, stdout, stderr } = await run(node, argv, runOptions)
    if (exit !== 0) throw new Error(`lab: ${argv.join(' ')} exited with ${exit}: ${stderr}${stdout}`)
    return stdout
  }
  const ip: Lab['ip'] = (node, lines) => {
    const text = typeof lines === 'string' ? lines : lines.join('\n')
    return ok(node, ['ip', '-batch', '-'], { input: `${text}\n` })
  }
  const started: Running[] = []
  const start: Lab['start'] = async (node, argv, runOptions = {}) => {
    const running = await startIn(keeper, node, argv, runOptions)
    started.push(running)
    return running
  }
  const close: Lab['close'] = () => {
    // A stopped nsenter would never see that its child is dead, and the namespaces last as long as that is not seen.
    for (const running of started) running.resume()
    return keeper.close()
  }
  return { dir: keeper.dir, asUser, run, ok, ip, start, close }
}
