import type { Lab } from '../lab/lab.ts'

/** A guest without a machine: a network namespace on a port of the bridge. */
export interface VethGuest {
  readonly run: (line: string) => Promise<{ readonly exit: number; readonly stdout: string }>
  /** Whether the address answers within a second. */
  readonly reaches: (address: string) => Promise<boolean>
}

interface Options {
  readonly name: string
  readonly bridge: string
  /** With prefix lengths; the first address of the same subnet is its gateway. */
  readonly addresses: readonly string[]
}

const gatewayOf = (cidr: string): string => cidr.replace(/[0-9a-f]+\/\d+$/, '1')

export async function startVethGuest(lab: Lab, { name, bridge, addresses }: Options): Promise<VethGuest> {
  const inside = `ip -n ${name}`
  await lab.ok('host', [
    'sh',
    '-ec',
    [
      `ip netns add ${name}`,
      `ip link add ${name} type veth peer name eth0 netns ${name}`,
      `${inside} link set lo up`,
      `${inside} link set eth0 up`,
      `ip link set ${name} addrgenmode none`,
      `ip link set ${name} master ${bridge} up`,
      ...addresses.flatMap((cidr) => [
        `${inside} addr add ${cidr} dev eth0${cidr.includes(':') ? ' nodad' : ''}`,
        `${inside} ${cidr.includes(':') ? '-6 ' : ''}route add default via ${gatewayOf(cidr)}`,
      ]),
    ].join('\n'),
  ])
  const run: VethGuest['run'] = (line) => lab.run('host', ['ip', 'netns', 'exec', name, 'sh', '-c', line])
  const reaches = async (address: string): Promise<boolean> =>
    (await run(`ping -n -c 1 -W 1 ${address}`)).exit === 0
  return { run, reaches }
}
