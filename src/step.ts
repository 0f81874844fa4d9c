import { isOwnerStep, type OwnerStep } from './owner-step.ts'
import type { Address, Neighbour, Nexthop, PortFlags, PortVlan, Route, Rule, Sysctl } from './state.ts'
import { protocolNumber, scopeNumber } from './protocols.ts'
import { addressWords, neighbourWords, nexthopWords, routeWords, ruleWords } from './words.ts'

/** One change to the kernel, as plain data: it can be printed, journalled, compared and counted. */
export type Step =
  | {
      readonly op: 'bridge.add'
      readonly name: string
      readonly mac: string
      readonly mtu: number
      readonly stp: boolean
    }
  | { readonly op: 'link.name'; readonly dev: string; readonly name: string; readonly alias: string }
  | { readonly op: 'link.alias'; readonly dev: string; readonly alias: string }
  | { readonly op: 'link.mtu'; readonly dev: string; readonly mtu: number }
  | { readonly op: 'link.mac'; readonly dev: string; readonly mac: string }
  | { readonly op: 'link.addrgenmode'; readonly dev: string; readonly mode: string }
  | { readonly op: 'link.up' | 'link.down' | 'link.del' | 'link.nomaster'; readonly dev: string }
  | { readonly op: 'link.master'; readonly dev: string; readonly master: string }
  | { readonly op: 'bridge.stp'; readonly dev: string; readonly on: boolean }
  | { readonly op: 'port.set'; readonly dev: string; readonly flags: PortFlags }
  | { readonly op: 'addr.add' | 'addr.change' | 'addr.del'; readonly address: Address }
  | {
      readonly op: 'route.add' | 'route.prepend' | 'route.append' | 'route.replace' | 'route.del'
      readonly route: Route
    }
  | { readonly op: 'rule.add' | 'rule.del'; readonly rule: Rule }
  | { readonly op: 'nexthop.replace' | 'nexthop.del'; readonly nexthop: Nexthop }
  | { readonly op: 'neigh.replace' | 'neigh.del'; readonly neighbour: Neighbour }
  | {
      readonly op: 'neigh.seed'
      readonly dev: string
      readonly dst: string
      readonly mac: string
    }
  /** Of those that nobody has answered for yet. */
  | { readonly op: 'neigh.flush'; readonly dev: string }
  | BridgeStep
  | { readonly op: 'sysctl.set'; readonly sysctl: Sysctl }
  /** Lines for `nft -f`, all or nothing. */
  | { readonly op: 'nft.load'; readonly text: string }
  | { readonly op: 'dnsmasq.start'; readonly bridge: string; readonly words: readonly string[] }
  | { readonly op: 'dnsmasq.stop'; readonly bridge: string }
  | OwnerStep
  /** A zone of firewalld. */
  | { readonly op: 'zone.join'; readonly zone: string; readonly dev: string }
  | { readonly op: 'zone.leave'; readonly zone: string; readonly dev: string }
  /** Lines for nft, or for an iptables-restore about `filter`, all or nothing. */
  | { readonly op: 'firewall.load'; readonly tool: string; readonly lines: readonly string[] }

/** What `bridge` does, and `ip` cannot. */
export type BridgeStep =
  | { readonly op: 'vlan.add' | 'vlan.del'; readonly dev: string; readonly vlan: PortVlan }
  | { readonly op: 'fdb.replace' | 'fdb.del'; readonly dev: string; readonly mac: string }

type OtherOp =
  'sysctl.set' | 'nft.load' | 'dnsmasq.start' | 'dnsmasq.stop' | 'firewall.load' | 'zone.join' | 'zone.leave'
export type IpStep = Exclude<Step, BridgeStep | OwnerStep | { op: OtherOp }>

const bridgeOps: ReadonlySet<string> = new Set<BridgeStep['op']>([
  'vlan.add',
  'vlan.del',
  'fdb.replace',
  'fdb.del',
])
const otherOps: ReadonlySet<string> = new Set<OtherOp>([
  'sysctl.set',
  'nft.load',
  'dnsmasq.start',
  'dnsmasq.stop',
  'firewall.load',
  'zone.join',
  'zone.leave',
])

export const isBridgeStep = (step: Step): step is BridgeStep => bridgeOps.has(step.op)

export const isIpStep = (step: Step): step is IpStep =>
  !otherOps.has(step.op) && !isBridgeStep(step) && !isOwnerStep(step)

/**
 * The words of one line for `ip -batch`. Lifetimes are given as what is left of them at `now`, in seconds of
 * CLOCK_BOOTTIME.
 */
export function ipWords(step: IpStep, now: number): readonly string[] {
  switch (step.op) {
    case 'bridge.add':
      return newBridgeWords(step)
    case 'bridge.stp':
      return ['link', 'set', 'dev', step.dev, 'type', 'bridge', ...stpWords(step.on)]
    case 'port.set':
      return ['link', 'set', 'dev', step.dev, 'type', 'bridge_slave', ...flagWords(step.flags)]
    case 'link.name':
      return ['link', 'set', 'dev', step.dev, 'name', step.name, 'alias', step.alias]
    case 'link.alias':
      return ['link', 'set', 'dev', step.dev, 'alias', step.alias]
    case 'link.mtu':
      return ['link', 'set', 'dev', step.dev, 'mtu', String(step.mtu)]
    case 'link.mac':
      return ['link', 'set', 'dev', step.dev, 'address', step.mac]
    case 'link.addrgenmode':
      return ['link', 'set', 'dev', step.dev, 'addrgenmode', step.mode]
    case 'link.up':
      return ['link', 'set', 'dev', step.dev, 'up']
    case 'link.down':
      return ['link', 'set', 'dev', step.dev, 'down']
    case 'link.del':
      return ['link', 'del', 'dev', step.dev]
    case 'link.master':
      return ['link', 'set', 'dev', step.dev, 'master', step.master]
    case 'link.nomaster':
      return ['link', 'set', 'dev', step.dev, 'nomaster']
    case 'addr.add':
    case 'addr.change':
    case 'addr.del':
      return ['addr', verb(step.op), ...addressWords(step.address, step.op, now)]
    case 'route.add':
    case 'route.prepend':
    case 'route.append':
    case 'route.replace':
    case 'route.del':
      return ['route', verb(step.op), ...routeWords(step.route, step.op === 'route.del' ? undefined : now)]
    case 'rule.add':
    case 'rule.del':
      return ['rule', verb(step.op), ...ruleWords(step.rule)]
    case 'nexthop.replace':
      return ['nexthop', 'replace', ...nexthopWords(step.nexthop)]
    case 'nexthop.del':
      return ['nexthop', 'del', 'id', String(step.nexthop.id)]
    case 'neigh.replace':
    case 'neigh.del':
      return ['neigh', verb(step.op), ...neighbourWords(step.neighbour, step.op === 'neigh.del')]
    case 'neigh.flush':
      return ['neigh', 'flush', 'dev', step.dev, 'nud', 'incomplete']
    case 'neigh.seed':
      return ['neigh', 'replace', step.dst, 'lladdr', step.mac, 'dev', step.dev, 'nud', 'stale']
  }
}

/**
 * The options of `ip` itself that a step needs. A rule takes its family from nowhere else: `from ::/0` makes an
 * IPv4 rule (iprule_modify() in iproute2 6.1).
 */
export const ipOptions = (step: IpStep): readonly string[] =>
  (step.op === 'rule.add' || step.op === 'rule.del') && step.rule.family === 6 ? ['-6'] : []

/** The file under /proc/sys that a setting lives in. A name with dots (eth0.100) stays one path element. */
export const sysctlPath = ({ family, dev, key }: Omit<Sysctl, 'value'>): string =>
  `net/ipv${family}/conf/${dev}/${key}`

/**
 * A line for `ip -batch`. The words hold no quote and no newline: names.ts saw to it. Protocols and scopes go by number: after
 * one number iproute2 (6.1, rtnl_rtprot_a2n()) takes the name it saw last for that number.
 */
export const batchLine = (words: readonly string[]): string =>
  words
    .map((word, at) => {
      if (isProtocol(words, at)) return protocolNumber(word)
      return isScope(words, at) ? scopeNumber(word) : word
    })
    .map((word) => (/^[\w.,:/@%+=^-]+$/.test(word) ? word : `"${word}"`))
    .join(' ')

const isScope = (words: readonly string[], at: number): boolean =>
  ['route', 'addr'].includes(words[0] ?? '') && words[at - 1] === 'scope'

/** Of a route, a rule or a next-hop object; that of an address is of another table. */
const isProtocol = (words: readonly string[], at: number): boolean =>
  ['route', 'rule', 'nexthop'].includes(words[0] ?? '') && ['proto', 'protocol'].includes(words[at - 1] ?? '')

const verb = (op: string): string => op.slice(op.indexOf('.') + 1)

const smallestMtu = 68

/**
 * A bridge with a MAC of its own has no carrier until a port brings one (br_dev_init(), br_set_mac_address()).
 * It is made with another MTU than the one it gets: only a change pins the MTU (br_change_mtu()).
 */
function newBridgeWords({ name, mac, mtu, stp }: Extract<Step, { op: 'bridge.add' }>): readonly string[] {
  const unpinned = String(mtu > smallestMtu ? mtu - 1 : mtu + 1)
  return ['link', 'add', 'name', name, 'address', mac, 'mtu', unpinned, 'type', 'bridge', ...stpWords(stp)]
}

const stpWords = (isOn: boolean): readonly string[] => ['stp_state', isOn ? '1' : '0']

const flagWords = (flags: PortFlags): readonly string[] =>
  Object.entries(flags).flatMap(([name, isOn]) => [name, isOn ? 'on' : 'off'])

/** The words of one line for `bridge -batch`. */
export function bridgeWords(step: BridgeStep): readonly string[] {
  switch (step.op) {
    case 'vlan.add': {
      const { vid, pvid, untagged } = step.vlan
      const flags = [...(pvid ? ['pvid'] : []), ...(untagged ? ['untagged'] : [])]
      return ['vlan', 'add', 'dev', step.dev, 'vid', String(vid), ...flags]
    }
    case 'vlan.del':
      return ['vlan', 'del', 'dev', step.dev, 'vid', String(step.vlan.vid)]
    case 'fdb.replace':
      return ['fdb', 'replace', step.mac, 'dev', step.dev, 'master', 'static']
    case 'fdb.del':
      return ['fdb', 'del', step.mac, 'dev', step.dev, 'master']
  }
}
