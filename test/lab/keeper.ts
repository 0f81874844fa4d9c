import { spawn, type ChildProcess } from 'node:child_process'
import { chownSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

import { tool } from './tools.ts'

/** Who the lab belongs to when root plays an ordinary user: nobody, nogroup. */
const ordinary = 65534

export interface KeeperOptions {
  readonly asUser: boolean
  /** Builds the network; run by the keeper once its namespaces are known to be private. */
  readonly script: string
  /** Which namespaces to unshare: only the lab's own test changes it. */
  readonly namespaces?: readonly string[]
}

export interface Keeper {
  /** As this process sees it. */
  readonly pid: number
  readonly dir: string
  readonly asUser: boolean
  /** What precedes every command line that runs as the lab's user. */
  readonly become: readonly string[]
  readonly close: () => Promise<void>
}

// Waits for the go-ahead, builds the network, then does nothing until its stdin closes: also when the process that
// opened the lab dies. As process 1 of its PID namespace it takes everything in the lab with it. SIGCHLD is ignored, so
// that the kernel reaps orphans: a killed command's child must not stay as a zombie.
const keeperScript = `
readlink /proc/self/ns/net
read -r go || exit 1
sh -e "$1/topology.sh" 2>&1 || { echo failed; exit 1; }
echo ready
exec env --ignore-signal=CHLD cat >/dev/null`

// The outer shell is outside of the PID namespace, so it outlives the lab and removes the folder even after a crash.
const outerScript = 'dir=$1; shift; "$@"; exec rm -rf "$dir"'

// On a desktop /dev/net/tun is open to all; where it is root's alone, nobody gets one of their own.
const tunScript = `
if [ -d /dev/net ]; then mount -t tmpfs -o mode=755 lab /dev/net && mknod -m 666 /dev/net/tun c 10 200; fi
exec "$@"`

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)

/** The inode of this process's network namespace, as `net:[4026531840]`. */
export const ownNamespace = (): string => readlinkSync('/proc/self/ns/net')

/** Throws when any of these is the network namespace of this process, or is not one at all. */
function refuseOwnNamespace(namespaces: readonly string[]): void {
  const bad = namespaces.find((each) => !/^net:\[\d+\]$/.test(each) || each === ownNamespace())
  if (bad !== undefined) throw new Error(`lab: refused: ${bad} is the machine's own network namespace`)
}

const becomeOrdinary = (): string[] => [
  tool('setpriv'),
  `--reuid=${ordinary}`,
  `--regid=${ordinary}`,
  '--clear-groups',
]

function commandLine(options: KeeperOptions, become: readonly string[], dir: string): string[] {
  const namespaces = options.namespaces ?? ['--mount', '--net', '--pid', '--mount-proc']
  const user = options.asUser ? ['--user', '--map-root-user'] : []
  const inner = [tool('unshare'), ...user, ...namespaces, '--fork', '--kill-child', 'sh', '-c', keeperScript]
  const line = [...become, 'sh', '-c', outerScript, 'lab', dir, ...inner, 'lab-keeper', dir]
  if (become.length === 0) return line
  return [tool('unshare'), '--mount', 'sh', '-c', tunScript, 'lab', ...line]
}

function makeFolder(script: string, owner: number | undefined): string {
  const dir = mkdtempSync(join(tmpdir(), 'tap-lab-'))
  writeFileSync(join(dir, 'topology.sh'), script)
  if (owner !== undefined) chownSync(dir, owner, owner)
  return dir
}

async function handshake(child: ChildProcess): Promise<void> {
  const said: string[] = []
  child.stderr?.on('data', (chunk: Buffer) => said.push(chunk.toString().trimEnd()))
  const failed = (): Error => new Error(`lab: the namespaces could not be made: ${said.join('; ')}`)
  if (child.stdout === null) throw failed()
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<string> => {
    const line = await lines.next()
    if (line.done === true) throw failed()
    return line.value
  }
  refuseOwnNamespace([await next()])
  child.stdin?.write('go\n')
  for (let line = await next(); line !== 'ready'; line = await next()) {
    if (line.startsWith('net:')) refuseOwnNamespace([line])
    else said.push(line)
  }
}

/**
 * Starts process 1 of a private PID namespace, in private mount and network namespaces, and builds the lab's network
 * from there. Nothing of the script runs unless the network namespace differs from that of this process. When this
 * process ends in any way, so do the keeper, every process in the lab, its namespaces and its folder.
 */
export async function startKeeper(options: KeeperOptions): Promise<Keeper> {
  const drop = options.asUser && process.getuid?.() === 0
  const become = drop ? becomeOrdinary() : []
  const dir = makeFolder(options.script, drop ? ordinary : undefined)
  const [command = '', ...args] = commandLine(options, become, dir)
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' }
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env, cwd: '/' })
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => resolve())
    child.once('close', () => resolve())
  })
  child.stdin.on('error', () => undefined)
  const close = async (): Promise<void> => {
    child.stdin.end()
    await ended
    rmSync(dir, { recursive: true, force: true })
  }
  try {
    await handshake(child)
    const [inner = 0] = childrenOf(child.pid ?? 0)
    const [pid] = childrenOf(inner)
    if (pid === undefined) throw new Error('lab: the keeper has gone')
    return { pid, dir, asUser: options.asUser, become, close }
  } catch (error) {
    await close()
    throw error
  }
}
