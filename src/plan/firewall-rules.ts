import { networkOf, type Cidr, type Family } from '../names.ts'
import type { Firewall, FirewallChain, FirewallRule } from '../firewall-state.ts'

/** The rules that let guests through the host's own firewall, in the words of nft and of iptables. */

export interface Opening {
  readonly bridge: string
  readonly uplink: string | undefined
  readonly id: string
  readonly addresses: readonly Cidr[]
  readonly nat: boolean
  readonly isPublishing: boolean
  /** Whether a dnsmasq of ours gives its guests addresses. */
  readonly isServing: boolean
}

/** What one packet is known by, in the words of nft and of iptables. */
interface Pass {
  /** Stands in the comment, and so tells our rules apart. */
  readonly role: string
  readonly family: Family
  readonly hook: FirewallChain['hook']
  readonly nft: string
  /** Whether an address in it tells the family. */
  readonly isOfIp: boolean
  readonly iptables: string
}

/** The rules that it takes, each at the head of its chain. */
export function neededRules({ bridged, closed }: Firewall, opening: Opening): readonly FirewallRule[] {
  const passes = [
    ...bridged.map((family) => bridgedPass(opening, family)),
    ...(opening.nat ? opening.addresses.flatMap((cidr) => routedPasses(opening, cidr)) : []),
    ...(opening.isServing ? opening.addresses.flatMap((cidr) => servedPasses(opening, cidr)) : []),
  ]
  return closed.flatMap((chain) =>
    passes
      .filter(({ family, hook }) => chain.families.includes(family) && hook === chain.hook)
      .map((pass) => ruleOf(pass, chain, opening)),
  )
}

function ruleOf(pass: Pass, { tool, name }: FirewallChain, { bridge, id }: Opening): FirewallRule {
  const comment = `"qemu-tap-hooks ${bridge} ${id} ${pass.role}"`
  const text =
    tool === 'nft'
      ? `${nftMatch(pass, name)} accept comment ${comment}`
      : `${pass.iptables} -m comment --comment ${comment} -j ACCEPT`
  return { tool, chain: name, text, handle: undefined }
}

/** Only a table of both families needs to be told which one. */
const nftMatch = ({ nft, isOfIp, family }: Pass, chain: string): string =>
  isOfIp || !chain.startsWith('inet ') ? nft : `meta nfproto ipv${family} ${nft}`

const bridgedPass = ({ bridge }: Opening, family: Family): Pass => ({
  role: `bridged ${family}`,
  family,
  hook: 'forward',
  nft: `iifname "${bridge}" oifname "${bridge}"`,
  isOfIp: false,
  iptables: `-i ${bridge} -o ${bridge} -m physdev --physdev-is-bridged`,
})

function routedPasses({ bridge, isPublishing }: Opening, cidr: Cidr): readonly Pass[] {
  const { family } = cidr
  const subnet = networkOf(cidr)
  const ip = family === 4 ? 'ip' : 'ip6'
  const back = (role: string, nft: string, state: string): Pass => ({
    ...{ role: `${role} ${subnet}`, family, hook: 'forward' },
    nft: `iifname != "${bridge}" oifname "${bridge}" ${ip} daddr ${subnet} ${nft}`,
    isOfIp: true,
    iptables: `-d ${subnet} ! -i ${bridge} -o ${bridge} -m conntrack --ctstate ${state}`,
  })
  return [
    {
      ...{ role: `out ${subnet}`, family, hook: 'forward' },
      nft: `iifname "${bridge}" oifname != "${bridge}" ${ip} saddr ${subnet}`,
      isOfIp: true,
      iptables: `-s ${subnet} -i ${bridge} ! -o ${bridge}`,
    },
    back('back', 'ct state established,related', 'RELATED,ESTABLISHED'),
    ...(isPublishing ? [back('published', 'ct status dnat', 'DNAT')] : []),
  ]
}

/** DHCP and DNS; the server's side of DHCPv6. */
function servedPasses({ bridge }: Opening, { family }: Cidr): readonly Pass[] {
  const ports = [
    ['udp', family === 4 ? 67 : 547],
    ['udp', 53],
    ['tcp', 53],
  ] as const
  return ports.map(([protocol, port]) => ({
    role: `served ${family} ${protocol} ${port}`,
    family,
    hook: 'input',
    nft: `iifname "${bridge}" ${protocol} dport ${port}`,
    isOfIp: false,
    iptables: `-i ${bridge} -p ${protocol} -m ${protocol} --dport ${port}`,
  }))
}
