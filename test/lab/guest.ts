import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import type { Lab } from './lab.ts'
import type { Ending, Running } from './start.ts'
import { tool } from './tools.ts'

export interface GuestOptions {
  readonly name: string
  readonly mac: string
  /** The tap that QEMU makes in the host. */
  readonly tap: string
  readonly hooks: { readonly up: string; readonly down: string }
  /** With prefix: `192.168.1.61/24`. */
  readonly ip?: string
  readonly gw?: string
  readonly ip6?: string
  readonly gw6?: string
  /** MiB, default 128. */
  readonly mem?: number
  /** Added to the environment of QEMU, and so of its hooks. */
  readonly env?: Readonly<Record<string, string>>
}

/** A running QEMU. */
export interface Guest {
  /** Of QEMU, as this process sees it. */
  readonly pid: number
  /** Waits until the guest takes commands (a few seconds); throws with QEMU's own message when it ends first. */
  readonly ready: (timeout?: number) => Promise<void>
  /** Runs a line of shell in the guest, with standard error in the output; one at a time. Default limit 60,000 ms. */
  readonly run: (
    line: string,
    timeout?: number,
  ) => Promise<{ readonly exit: number; readonly output: string }>
  /** `quit` on QEMU's monitor, after which QEMU runs the downscript; comes back when QEMU has ended. */
  readonly quit: () => Promise<Ending>
  readonly kill: Running['kill']
  readonly exited: Promise<Ending>
  readonly stderr: () => string
}

const cache = fileURLToPath(new URL('../../.cache/guest', import.meta.url))

const cachedFile = (name: string): string => {
  const path = join(cache, name)
  if (!existsSync(path)) throw new Error(`lab: ${path} is missing (run npx tsx dev/setup.ts)`)
  return path
}

const kernelLine = ({ name, ip, gw, ip6, gw6 }: GuestOptions): string => {
  const settings = Object.entries({ name, ip, gw, ip6, gw6 })
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `guest.${key}=${value}`)
  return ['console=ttyS0 quiet loglevel=1 panic=-1 ipv6.autoconf=0', ...settings].join(' ')
}

/** The command line of a guest with one tap; software emulation, its console on stdin and stdout. */
function qemuLine(options: GuestOptions, monitor: string): string[] {
  const { tap, hooks, mac } = options
  return [
    ...[tool('qemu-system-x86_64'), '-name', options.name, '-nodefaults', '-no-user-config', '-no-reboot'],
    ...['-machine', 'q35', '-accel', 'tcg', '-m', String(options.mem ?? 128), '-display', 'none'],
    ...[
      '-kernel',
      cachedFile('vmlinuz'),
      '-initrd',
      cachedFile('initramfs.gz'),
      '-append',
      kernelLine(options),
    ],
    ...['-netdev', `tap,id=n0,ifname=${tap},script=${hooks.up},downscript=${hooks.down}`],
    ...['-device', `virtio-net-pci,netdev=n0,mac=${mac},romfile=`],
    ...['-chardev', 'stdio,id=console,signal=off', '-serial', 'chardev:console'],
    ...[
      '-chardev',
      `socket,id=monitor,path=${monitor},server=on,wait=off`,
      '-mon',
      'chardev=monitor,mode=readline',
    ],
  ]
}

/** QEMU answers on the monitor until it ends, so no answer is waited for. */
const tellMonitor = (path: string, line: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = connect(path)
    socket.once('error', reject)
    socket.once('close', () => {
      resolve()
    })
    socket.once('data', () => socket.write(`${line}\n`))
    socket.resume()
  })

// Commands share one console, so each waits for the one before it.
function commandAgent(qemu: Running): Guest['run'] {
  let last: Promise<unknown> = Promise.resolve()
  const one = async (line: string, timeout: number): Promise<{ exit: number; output: string }> => {
    qemu.stdin.write(`${line}\n`)
    const match = await qemu.waitFor(/^([^]*?)\n?guest:exit:(\d+)\r?\n/, timeout)
    return { exit: Number(match[2]), output: match[1] ?? '' }
  }
  return (line, timeout = 60_000) => {
    if (line.includes('\n')) throw new Error('lab: a guest takes one line at a time')
    const answer = last.then(() => one(line, timeout))
    last = answer.catch(() => undefined)
    return answer
  }
}

/**
 * Starts QEMU in the lab's host; its hooks have run, or are running, when this comes back: see `ready`. The guest
 * serves its name over HTTP on port 80 (whatever is in /www) and echoes TCP on port 7.
 */
export async function startGuest(lab: Lab, options: GuestOptions): Promise<Guest> {
  const monitor = join(lab.dir, `${options.name}.monitor`)
  const env = options.env === undefined ? {} : { env: options.env }
  const qemu = await lab.start('host', qemuLine(options, monitor), env)
  const ready = async (timeout = 60_000): Promise<void> => {
    try {
      await qemu.waitFor(/guest:ready\r?\n/, timeout)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new Error(`${options.name}: ${qemu.stderr()}${reason}`, { cause: error })
    }
  }
  const quit = async (): Promise<Ending> => {
    await tellMonitor(monitor, 'quit')
    return qemu.exited
  }
  const { pid, kill, exited, stderr } = qemu
  return { pid, ready, run: commandAgent(qemu), quit, kill, exited, stderr }
}
