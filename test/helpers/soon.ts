import type { Lab } from '../lab/lab.ts'
import { addressOf, type Node } from '../lab/topology.ts'

/** Asks every 20 ms, over and over, until something answers or a second is over. */
const ask = (family: 4 | 6, address: string): string =>
  `{ timeout 1 sh -c 'until ping -${family} -nq -c1 -w1 -i0.02 ${address}; do sleep 0.01; done' >/dev/null 2>&1 ` +
  `|| echo ${family}; } &`

async function silent(lab: Lab, from: Node, to: 'host' | 'outside'): Promise<string[]> {
  const asks = ([4, 6] as const).map((family) => ask(family, addressOf[to][family]))
  const { stdout } = await lab.run(from, ['sh', '-c', [...asks, 'wait'].join(' ')])
  const families = stdout.split('\n').filter((line) => line !== '')
  return families.map((family) => `${from} > ${to} IPv${family} for 1 s`)
}

/** As `reachable`, but what is silent now and answers within a second is fine. */
export async function reachableSoon(
  lab: Lab,
): Promise<{ readonly silent: string[]; readonly milliseconds: number }> {
  const start = performance.now()
  const both = await Promise.all([silent(lab, 'outside', 'host'), silent(lab, 'host', 'outside')])
  return { silent: both.flat(), milliseconds: Math.round(performance.now() - start) }
}

/** The router takes from each leg only that leg's own senders, as a provider does: a detour over eth1 is a loss. */
export const refuseDetours = (lab: Lab): Promise<string> =>
  lab.ok('router', [
    ...['sh', '-ec'],
    'ip rule add iif e1 from 192.168.1.0/24 blackhole; ip -6 rule add iif e1 from fd01::/64 blackhole',
  ])
