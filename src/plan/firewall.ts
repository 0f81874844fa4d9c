import type { Firewall, FirewallRule } from '../firewall-state.ts'
import type { Difference } from './compare.ts'
import type { Share } from './converge.ts'
import { neededRules, type Opening } from './firewall-rules.ts'
import { nameOf, type Sides } from './footprint.ts'
import { compareGuards, convergeGuard } from './lease-guard.ts'

/**
 * What lets guests through the host's own firewall, where that ends what it does not know: frames that stay on their bridge, what NAT
 * hides, and questions to their dnsmasq. Who may talk to whom is for our own chains to say (chains.ts).
 */

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
  return { ...now, rules: [], firewalld: firewalld && { ...firewalld, zones }, guarded: undefined }
}

/** Tools list a rule in other words than it was given. */
const ruleId = ({ tool, chain, text }: FirewallRule): string => `${tool} ${chain} ${commentOf(text)}`

const commentOf = (text: string): string => /"qemu-tap-hooks [^"]*"/u.exec(text)?.[0] ?? text

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

/** Guests have their way as soon as they can come, and until the last of them has gone. */
export function convergeFirewall(from: Firewall | undefined, to: Firewall | undefined, sides: Sides): Share {
  if (from === undefined || to === undefined) return { first: [], last: [] }
  const { missing, tooMuch } = difference(from, to)
  const tools = [...new Set([...missing, ...tooMuch].map(({ tool }) => tool))]
  const zones = zoneSteps(from, to, nameOf(sides))
  const guard = convergeGuard(from, to, sides)
  return {
    first: [
      ...guard.first,
      ...zones.first,
      ...tools.flatMap((tool) => load(tool, insertions(from, missing, tool))),
    ],
    last: [...tools.flatMap((tool) => load(tool, deletions(tooMuch, tool))), ...zones.last, ...guard.last],
  }
}

const load = (tool: string, lines: readonly string[]): Share['first'] =>
  lines.length === 0 ? [] : [{ op: 'firewall.load', tool, lines }]

/** In front of what ends them, and behind what its owner ends before; each goes before those that went there already. */
function insertions({ closed }: Firewall, rules: readonly FirewallRule[], tool: string): readonly string[] {
  return closed
    .filter((chain) => chain.tool === tool)
    .flatMap(({ name, before }) => {
      const texts = rules.filter((rule) => rule.tool === tool && rule.chain === name).map(({ text }) => text)
      if (tool !== 'nft')
        return before === undefined
          ? texts.map((text) => `-A ${name} ${text}`)
          : texts.toReversed().map((text) => `-I ${name} ${before} ${text}`)
      return before === undefined
        ? texts.map((text) => `add rule ${name} ${text}`)
        : texts.map((text) => `insert rule ${name} position ${before} ${text}`)
    })
}

/** The comment behind nft's is by what the rule is told when it goes (withHandlesOfNow()). */
const deletions = (rules: readonly FirewallRule[], tool: string): readonly string[] =>
  rules
    .filter((rule) => rule.tool === tool)
    .map(({ chain, text, handle = 0 }) =>
      tool === 'nft' ? `delete rule ${chain} handle ${handle} # ${commentOf(text)}` : `-D ${chain} ${text}`,
    )

function zoneSteps(from: Firewall, to: Firewall, dev: string): Share {
  const [was, is] = [zoneOf(from.firewalld, dev), zoneOf(to.firewalld, dev)]
  if (from.firewalld === undefined || was === is) return { first: [], last: [] }
  if (is !== undefined) return { first: [{ op: 'zone.join', zone: is, dev }], last: [] }
  return { first: [], last: was === undefined ? [] : [{ op: 'zone.leave', zone: was, dev }] }
}

export function compareFirewall(
  actual: Firewall | undefined,
  goal: Firewall | undefined,
  sides: Sides,
): readonly Difference[] {
  if (actual === undefined || goal === undefined) return []
  if (actual.problem !== undefined)
    return [
      ...(goal.problem === undefined ? [`unknown: the host's firewall: ${actual.problem}`] : []),
      ...compareGuards(actual, goal),
    ]
  const { missing, tooMuch } = difference(actual, goal)
  const text = ({ tool, chain, text: rule }: FirewallRule): string => `${tool} ${chain} ${rule}`
  return [
    ...missing.map((rule) => `missing: firewall rule ${text(rule)}`),
    ...tooMuch.map((rule) => `too much: firewall rule ${text(rule)}`),
    ...compareZones(actual, goal, nameOf(sides)),
    ...compareGuards(actual, goal),
  ]
}

function compareZones(actual: Firewall, goal: Firewall, dev: string): readonly Difference[] {
  const [is, be] = [zoneOf(actual.firewalld, dev), zoneOf(goal.firewalld, dev)]
  if (actual.firewalld === undefined || goal.firewalld === undefined || is === be) return []
  return [`different: firewalld zone of ${dev} is ${is ?? 'none'}, should be ${be ?? 'none'}`]
}

/** The zone in which guests are with the uplink, where the kernel shows firewalld what they send. */
export function zoneBetween({ bridged, firewalld }: Firewall, { bridge }: Opening): string | undefined {
  return bridged.length === 0 ? undefined : zoneOf(firewalld, bridge)
}

/** Other characters mean something to one of the tools. */
export const canBeNamed = (bridge: string): boolean => /^[\w.@-]+$/u.test(bridge)

/** What guests lack where the host's firewall is to stay as it is. */
export const closedTexts = (firewall: Firewall, opening: Opening): readonly string[] =>
  neededRules(firewall, opening).map(
    ({ tool, chain, text }) =>
      `the firewall ends what guests of ${opening.bridge} send: ${tool} ${chain} lacks ${text}`,
  )
