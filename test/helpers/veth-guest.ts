import type { Lab } from '../lab/lab.ts'
import type { Running } from '../lab/start.ts'

/** A guest without a machine: a network namespace on a port of the bridge. */
export interface VethGuest {
  readonly run: (line: string) => Promise<{ readonly exit: number; readonly stdout: string }>
  readonly start: (argv: readonly string[]) => Promise<Running>
  /** Whether the address answers within a second. */
  readonly reaches: (address: string) => Promise<boolean>
  readonly end: () => Promise<void>
}

interface Options {
  readonly name: string
  readonly bridge: string
  /** With prefix lengths; the first address of the same subnet is its gateway. */
  readonly addresses: readonly string[]
}

const gatewayOf = (cidr: string): string => cidr.replace(/[0-9a-f]+\/\d+$/, '1')

export async function startVethGuest(lab: Lab, { name, bridge, addresses }: Options): Promise<VethGuest> {
  const running = await lab.start('host', ['unshare', '--net', 'sh', '-c', 'echo $$; exec cat'])
  const [pid = ''] = await running.waitFor(/\d+/)
  const enter = ['nsenter', `--net=/proc/${pid}/ns/net`]
  await lab.ip('host', [
    `link add ${name} type veth peer name eth0 netns ${pid}`,
    `link set ${name} addrgenmode none`,
    `link set ${name} master ${bridge} up`,
  ])
  const lines = [
    'link set lo up',
    'link set eth0 up',
    ...addresses.flatMap((cidr) => [
      `addr add ${cidr} dev eth0${cidr.includes(':') ? ' nodad' : ''}`,
      `route add ${cidr.includes(':') ? '::/0' : 'default'} via ${gatewayOf(cidr)}`,
    ]),
  ]
  await lab.ok('host', [...enter, 'ip', '-batch', '-'], { input: `${lines.join('\n')}\n` })
  const run: VethGuest['run'] = (line) => lab.run('host', [...enter, 'sh', '-c', line])
  const reaches = async (address: string): Promise<boolean> =>
    (await run(`ping -n -c 1 -W 1 ${address}`)).exit === 0
  const end = async (): Promise<void> => {
    await lab.ip('host', `link del ${name}`)
    running.kill('SIGKILL')
    await running.exited
  }
  const start: VethGuest['start'] = (argv) => lab.start('host', [...enter, ...argv])
  return { run, start, reaches, end }
}
