import { networkOf, type Cidr, type Family } from '../names.ts'
import type { Firewall, FirewallChain, FirewallRule } from '../state.ts'
import type { Difference } from './compare.ts'
import type { Share } from './converge.ts'
import type { Sides } from './footprint.ts'

/**
 * What lets guests through the host's own firewall, where that ends what it does not know: frames that stay on their bridge, what NAT
 * hides, and questions to their dnsmasq. Who may talk to whom is for our own chains to say (chains.ts).
 */

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
  readonly iptables: string
}

/** The rules that it takes, each at the head of its chain. */
function neededRules({ bridged, closed }: Firewall, opening: Opening): readonly FirewallRule[] {
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

/** With what the guests need of it, if anything. */
export const openedFirewall = (
  now: Firewall | undefined,
  opening: Opening | undefined,
): Firewall | undefined =>
  now &&
  (opening === undefined
    ? { ...now, rules: [] }
    : { ...now, rules: neededRules(now, opening), firewalld: openedZones(now.firewalld, opening) })

/** Of firewalld: one that lets through whoever is in it. Our own chains are there all the same. */
const openZone = 'trusted'

/**
 * The bridge stands for its uplink, in the default zone by name: else firewalld forwards nothing in it. One without an uplink is a
 * network of the host's own. One that has a zone stays there.
 */
function openedZones(firewalld: Firewall['firewalld'], { bridge, uplink }: Opening): Firewall['firewalld'] {
  if (firewalld === undefined || zoneOf(firewalld, bridge) !== undefined) return firewalld
  const zone = uplink === undefined ? openZone : (zoneOf(firewalld, uplink) ?? firewalld.defaultZone)
  return { ...firewalld, zones: [...firewalld.zones, { zone, dev: bridge }] }
}

const zoneOf = (firewalld: Firewall['firewalld'], link: string): string | undefined =>
  firewalld?.zones.find(({ dev }) => dev === link)?.zone

/** The same without the bridge; `before` is what it had before brup. */
export function closedFirewall(
  now: Firewall | undefined,
  { bridge, before }: { readonly bridge: string; readonly before: Firewall | undefined },
): Firewall | undefined {
  if (now === undefined) return undefined
  const { firewalld } = now
  const zone = zoneOf(before?.firewalld, bridge)
  const zones = [
    ...(firewalld?.zones ?? []).filter(({ dev }) => dev !== bridge),
    ...(zone === undefined ? [] : [{ zone, dev: bridge }]),
  ]
  return { ...now, rules: [], firewalld: firewalld && { ...firewalld, zones } }
}

function ruleOf(pass: Pass, { tool, name }: FirewallChain, { bridge, id }: Opening): FirewallRule {
  const comment = `"qemu-tap-hooks ${bridge} ${id} ${pass.role}"`
  const text =
    tool === 'nft'
      ? `${pass.nft} accept comment ${comment}`
      : `${pass.iptables} -m comment --comment ${comment} -j ACCEPT`
  return { tool, chain: name, text, handle: undefined }
}

const bridgedPass = ({ bridge }: Opening, family: Family): Pass => ({
  role: `bridged ${family}`,
  family,
  hook: 'forward',
  nft: `meta nfproto ipv${family} iifname "${bridge}" oifname "${bridge}"`,
  iptables: `-i ${bridge} -o ${bridge} -m physdev --physdev-is-bridged`,
})

function routedPasses({ bridge, isPublishing }: Opening, cidr: Cidr): readonly Pass[] {
  const { family } = cidr
  const subnet = networkOf(cidr)
  const ip = family === 4 ? 'ip' : 'ip6'
  const back = (role: string, nft: string, state: string): Pass => ({
    ...{ role: `${role} ${subnet}`, family, hook: 'forward' },
    nft: `iifname != "${bridge}" oifname "${bridge}" ${ip} daddr ${subnet} ${nft}`,
    iptables: `-d ${subnet} ! -i ${bridge} -o ${bridge} -m conntrack --ctstate ${state}`,
  })
  return [
    {
      ...{ role: `out ${subnet}`, family, hook: 'forward' },
      nft: `iifname "${bridge}" oifname != "${bridge}" ${ip} saddr ${subnet}`,
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
    nft: `meta nfproto ipv${family} iifname "${bridge}" ${protocol} dport ${port}`,
    iptables: `-i ${bridge} -p ${protocol} -m ${protocol} --dport ${port}`,
  }))
}

/** Tools list a rule in other words than it was given. */
const ruleId = ({ tool, chain, text }: FirewallRule): string =>
  `${tool} ${chain} ${/"qemu-tap-hooks [^"]*"/u.exec(text)?.[0] ?? text}`

/** What is missing and can be had: a chain that is not closed, or gone, needs no rule of ours. */
function difference(
  now: Firewall,
  goal: Firewall,
): { readonly missing: readonly FirewallRule[]; readonly tooMuch: readonly FirewallRule[] } {
  const closed = new Set(now.closed.map(({ tool, name }) => `${tool} ${name}`))
  const wanted = new Map(goal.rules.map((rule) => [ruleId(rule), rule]))
  const present = new Set(now.rules.map(ruleId))
  return {
    missing: [...wanted]
      .filter(([id, { tool, chain }]) => !present.has(id) && closed.has(`${tool} ${chain}`))
      .map(([, rule]) => rule),
    tooMuch: now.rules.filter((rule) => !wanted.has(ruleId(rule))),
  }
}

/** Guests have their way as soon as they can come, and until the last of them has gone. What goes to the head last is first. */
export function convergeFirewall(from: Firewall | undefined, to: Firewall | undefined, sides: Sides): Share {
  if (from === undefined || to === undefined) return { first: [], last: [] }
  const { missing, tooMuch } = difference(from, to)
  const tools = [...new Set([...missing, ...tooMuch].map(({ tool }) => tool))]
  const zones = zoneSteps(from, to, sides.finalName ?? sides.bridge)
  return {
    first: [
      ...zones.first,
      ...tools.flatMap((tool) => load(tool, linesOf(missing, tool, insertion).toReversed())),
    ],
    last: [...tools.flatMap((tool) => load(tool, linesOf(tooMuch, tool, deletion))), ...zones.last],
  }
}

function zoneSteps(from: Firewall, to: Firewall, dev: string): Share {
  const [was, is] = [zoneOf(from.firewalld, dev), zoneOf(to.firewalld, dev)]
  if (from.firewalld === undefined || was === is) return { first: [], last: [] }
  if (is !== undefined) return { first: [{ op: 'zone.join', zone: is, dev }], last: [] }
  return { first: [], last: was === undefined ? [] : [{ op: 'zone.leave', zone: was, dev }] }
}

const load = (tool: string, lines: readonly string[]): Share['first'] =>
  lines.length === 0 ? [] : [{ op: 'firewall.load', tool, lines }]

const linesOf = (
  rules: readonly FirewallRule[],
  tool: string,
  line: (rule: FirewallRule) => string,
): readonly string[] => rules.filter((rule) => rule.tool === tool).map(line)

const insertion = ({ tool, chain, text }: FirewallRule): string =>
  tool === 'nft' ? `insert rule ${chain} ${text}` : `-I ${chain} 1 ${text}`

const deletion = ({ tool, chain, text, handle = 0 }: FirewallRule): string =>
  tool === 'nft' ? `delete rule ${chain} handle ${handle}` : `-D ${chain} ${text}`

export function compareFirewall(
  actual: Firewall | undefined,
  goal: Firewall | undefined,
  sides: Sides,
): readonly Difference[] {
  if (actual === undefined || goal === undefined) return []
  const { missing, tooMuch } = difference(actual, goal)
  const text = ({ tool, chain, text: rule }: FirewallRule): string => `${tool} ${chain} ${rule}`
  return [
    ...missing.map((rule) => `missing: firewall rule ${text(rule)}`),
    ...tooMuch.map((rule) => `too much: firewall rule ${text(rule)}`),
    ...compareZones(actual, goal, sides.finalName ?? sides.bridge),
  ]
}

function compareZones(actual: Firewall, goal: Firewall, dev: string): readonly Difference[] {
  const [is, be] = [zoneOf(actual.firewalld, dev), zoneOf(goal.firewalld, dev)]
  if (actual.firewalld === undefined || goal.firewalld === undefined || is === be) return []
  return [`different: firewalld zone of ${dev} is ${is ?? 'none'}, should be ${be ?? 'none'}`]
}

/** What guests lack where the host's firewall is to stay as it is. */
export const closedTexts = (firewall: Firewall, opening: Opening): readonly string[] =>
  neededRules(firewall, opening).map(
    ({ tool, chain, text }) =>
      `the firewall ends what guests of ${opening.bridge} send: ${tool} ${chain} lacks ${text}`,
  )
