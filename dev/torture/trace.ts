import { setTimeout as delay } from 'node:timers/promises'

import type { Scene } from './scene.ts'

const questions = {
  host: 'ip addr; ip -s neigh; ip -s link; ip -4 route show table all; ip -6 route show table all; ip rule; ip -6 rule; cat /proc/net/igmp6 /proc/net/snmp6; ip route get 203.0.113.9; ip -6 route get fd99::9; grep -r "" /proc/sys/net/ipv6/conf/eth0',
  router: 'ip -s neigh; ip -s link show dev e0; cat /proc/net/snmp6',
} as const

/** Why a host is silent may be told by both ends of its wire, as they are then and a second later. */
export async function traced({ lab }: Scene): Promise<readonly string[]> {
  const look = async (node: 'host' | 'router'): Promise<string> => {
    const { stdout, stderr } = await lab.run(node, ['sh', '-c', `set -x; date; ${questions[node]}`])
    return `${node}:\n${stdout}${stderr}`
  }
  const both = async (): Promise<readonly string[]> => [await look('host'), await look('router')]
  const first = await both()
  await delay(1000)
  return [...first, ...(await both())]
}
