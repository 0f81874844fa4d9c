import { randomBytes } from 'node:crypto'
import type { BrupArgs } from '../args.ts'
import { loadConfig } from '../config.ts'
import { CommandError, messageOf, refusal } from '../errors.ts'
import type { Command, Host, Outcome } from '../host.ts'
import { bootId, bootSeconds } from '../kernel/clock.ts'
import { hasDnsmasq } from '../kernel/dnsmasq.ts'
import { isListening } from '../kernel/listeners.ts'
import { firewallRulesNaming } from '../kernel/firewall.ts'
import { zoneForwards } from '../kernel/firewalld.ts'
import { hasNft } from '../kernel/nft.ts'
import { observe } from '../kernel/observe.ts'
import { mayChangeNetwork } from '../kernel/privilege.ts'
import { isWireless } from '../kernel/wireless.ts'
import { canBeNamed, closedTexts, openedFirewall, zoneBetween, type Opening } from '../plan/firewall.ts'
import { isMove, type Sides } from '../plan/footprint.ts'
import { ownBridgeGoal, raisedGoal, routedFamilies } from '../plan/goals.ts'
import { makePlan } from '../plan/planner.ts'
import { brupRefusal, ownBridgeRefusal } from '../plan/refusals.ts'
import { withTold } from '../plan/told.ts'
import { defaultUplink } from '../plan/uplink.ts'
import { planOutcome, raisedOutcome } from '../report/outcome.ts'
import { findLink, type Firewall, type NetworkState } from '../state.ts'
import { runChange } from '../transaction/change.ts'
import { prepareChecks, refuseCheck } from '../transaction/checks.ts'
import { readJournal, writeJournal, type Journal } from '../transaction/journal.ts'
import { routedFor } from '../transaction/routed.ts'
import { namespaceInode, runDirOf } from '../transaction/run-dir.ts'
import { observeSides } from '../transaction/verify.ts'
import { beginTrial } from '../transaction/trial.ts'
import { attachAgain } from './attach.ts'
import { everyBridge } from './each.ts'
import { refuseOwner } from './owner.ts'
import { repair } from './repair.ts'
import { inSession, type Session } from './session.ts'
import { accept, awaitVerdict, refuseOnTrial } from './trial.ts'
import {
  bridgeOf,
  dnsmasqOf,
  expectWhole,
  leastIpv6Mtu,
  openingFor,
  toldTexts,
  wishOf,
  type Wish,
} from './wish.ts'

export const brup: Command<BrupArgs> = {
  name: 'brup',
  bridge: bridgeOf,
  each: everyWish,
  run: async (args, host) => {
    const wish = wishOf(args, loadConfig(args.config, host.env))
    const { bridge } = wish
    const { dryRun } = args
    return inSession(host, {
      ...args,
      name: 'brup',
      bridge,
      work: async (session) => (args.accept ? accept(session, bridge) : raise({ ...wish, dryRun }, session)),
      afterwards: async (outcome, session) => awaitVerdict(host, session, { bridge, outcome }),
    })
  },
}

/** What is wrong with one is said before the first is raised; one that is up may be meant with less. */
function everyWish(args: BrupArgs, host: Host): readonly BrupArgs[] | undefined {
  const all = everyBridge(args, host)
  for (const each of all ?? []) {
    const wish = wishOf(each, loadConfig(args.config, host.env))
    if (readJournal(runDirOf(host.env), wish.bridge).kind === 'none') expectWhole(wish)
  }
  return all
}

async function raise(wish: Wish & { readonly dryRun: boolean }, session: Session): Promise<Outcome> {
  const { bridge, trySeconds } = wish
  const { runDir } = session
  refuseOnTrial(session.journal)
  if (session.journal !== undefined) return repair(wish, session, session.journal)
  expectWhole(wish)
  const sides: Sides = { uplink: await uplinkOf(wish), bridge }
  const before = await observeSides(sides)
  refuse(before, sides, wish)
  refuseCheck(wish.check)
  const id = randomBytes(5).toString('hex')
  const needs = openingFor(wish, id, sides.uplink)
  const opening = wish.firewall === 'warn' ? undefined : needs
  await tellOfFirewall(before, sides, { wish, needs, say: session.say })
  const base = isMove(sides)
    ? raisedGoal(before, { sides, id, mtu: wish.mtu, opening })
    : ownBridgeGoal(before, { ...wish, id, dnsmasq: dnsmasqOf(wish, runDir), opening })
  const goal = withTold(base, bridge, wish)
  if (wish.dryRun) return planOutcome(makePlan(before, goal, sides), sides, bootSeconds())
  const journal = newJournal(wish, { runDir, before, sides, id })
  const check = await prepareChecks(wish, { ...session, goal, sides })
  const { steps } = await runChange({
    ...session,
    journal,
    sides,
    goal: () => goal,
    check,
    commit: (raised) => {
      if (trySeconds === undefined) writeJournal(runDir, { ...journal, pending: undefined, raised })
      else beginTrial(runDir, journal, { seconds: trySeconds, raised })
    },
  })
  await attachAgain(session, bridge, wish)
  return raisedOutcome(steps, { ...sides, nat: wish.nat })
}

/** Throws (exit 3) where rules name the uplink, if that is asked for. */
async function tellOfFirewall(
  before: NetworkState,
  sides: Sides,
  { wish, needs, say }: { wish: Wish; needs: Opening; say: Session['say'] },
): Promise<void> {
  const { firewall } = before
  if (firewall !== undefined) sayWhatIsClosed(firewall, { wish, needs, say })
  const opened = openedFirewall(firewall, needs)
  const zone = isMove(sides) && opened !== undefined ? zoneBetween(opened, needs) : undefined
  if (zone !== undefined && !(await zoneForwards(zone)))
    say(
      `zone ${zone} of firewalld forwards nothing between its links: firewall-cmd --zone=${zone} --add-forward`,
    )
  if (!isMove(sides) || !mayChangeNetwork()) return
  const { uplink, bridge } = sides
  const rules = await namingRules(uplink, { isStrict: wish.isFirewallStrict, say })
  if (rules.length > 0 && wish.isFirewallStrict)
    throw new CommandError(
      'refused',
      `the firewall has rules that name ${uplink}, which would not match any more`,
      {
        hint: `name ${bridge} in them, or give no --strict-firewall`,
        differences: rules,
      },
    )
  for (const rule of rules)
    say(`once ${uplink} is a port, this rule does not match what comes by it: ${rule}`)
}

/** Throws (exit 3) where nobody can tell what the guests need, unless that is to be said only. */
function sayWhatIsClosed(
  firewall: Firewall,
  { wish, needs, say }: { wish: Wish; needs: Opening; say: Session['say'] },
): void {
  const { problem } = firewall
  const isToldOnly = wish.firewall === 'warn'
  const what = `the host's firewall cannot be read: ${problem ?? ''}`
  const wayOut = `with firewall = "warn" in the configuration, ${wish.bridge} comes without a look at it`
  if (problem !== undefined && !isToldOnly) throw refusal(what, wayOut)
  if (problem !== undefined) say(what)
  if (!isToldOnly && !canBeNamed(wish.bridge) && closedTexts(firewall, needs).length > 0)
    throw refusal(`the host's firewall takes ${wish.bridge} for a pattern`, 'choose another name')
  if (isToldOnly) for (const line of closedTexts(firewall, needs)) say(line)
}

/** Where the firewall cannot be read, that is said, or (exit 3) refused. */
async function namingRules(
  uplink: string,
  { isStrict, say }: { isStrict: boolean; say: Session['say'] },
): Promise<readonly string[]> {
  try {
    return await firewallRulesNaming(uplink)
  } catch (error) {
    const what = `the host's firewall cannot be read: ${messageOf(error)}`
    if (isStrict) throw refusal(what, 'look what nft list ruleset says, or give no --strict-firewall')
    say(`${what}; guests may need rules that it lacks`)
    return []
  }
}

async function uplinkOf({ uplink }: Wish): Promise<string | undefined> {
  if (uplink === false) return undefined
  return uplink ?? defaultUplink(await observe([])) ?? missingUplink()
}

const missingUplink = (): never => {
  throw refusal('no uplink found: there is no default route', 'give --uplink IF, or --no-uplink')
}

function refuse(before: NetworkState, sides: Sides, wish: Wish): void {
  const reason = isMove(sides)
    ? brupRefusal(before, sides)
    : ownBridgeRefusal(before, sides.bridge, wish.addresses)
  if (reason !== undefined) throw reason
  if (!isMove(sides)) {
    refuseOwn(sides.bridge, wish)
    return
  }
  const { uplink } = sides
  refuseMtu(before, uplink, wish)
  if (isWireless(uplink))
    throw refusal(`${uplink} is Wi-Fi, which cannot be a port of a bridge`, 'use a wired uplink')
  refuseOwner(before, uplink)
}

/** The host would send what its uplink cannot. */
function refuseMtu(before: NetworkState, uplink: string, { bridge, mtu }: Wish): void {
  const most = findLink(before, uplink)?.mtu
  if (mtu === undefined || most === undefined) return
  if (mtu > most)
    throw refusal(
      `${uplink} has an MTU of ${most}, and ${bridge} is to have ${mtu}`,
      `ip link set ${uplink} mtu ${mtu}`,
    )
  const hasIpv6 = before.addresses.some(({ dev, family }) => dev === uplink && family === 6)
  if (hasIpv6 && mtu < leastIpv6Mtu)
    throw refusal(`${uplink} has IPv6, which needs an MTU of ${leastIpv6Mtu} or more`, 'change mtu')
}

/** A port that the host itself serves would be lost to it: its SSH, say. */
function refuseOwn(bridge: string, { forwards, dhcpRange }: Wish): void {
  if (dhcpRange !== undefined && !hasDnsmasq())
    throw refusal(`${bridge} needs dnsmasq, to give its guests addresses`, 'install dnsmasq-base')
  if (!hasNft()) throw refusal(`${bridge} needs nft, to keep its guests apart`, 'install nftables')
  const taken = forwards.find(({ protocol, port }) => isListening(protocol, port))
  if (taken !== undefined)
    throw refusal(`the host listens on ${taken.protocol} port ${taken.port} itself`, 'publish another port')
}

function newJournal(
  wish: Wish,
  { runDir, before, sides, id }: { runDir: string; before: NetworkState; sides: Sides; id: string },
): Journal & { pending: NonNullable<Journal['pending']> } {
  const link = findLink(before, sides.uplink)
  return {
    schema: 1,
    id,
    bootId: bootId(),
    namespace: namespaceInode(),
    bridge: sides.bridge,
    uplink: link === undefined ? undefined : { name: link.name, index: link.index, mac: link.mac },
    adopted: findLink(before, sides.bridge) !== undefined,
    told: toldTexts(wish),
    routed: routedFor(routedFamilies(wish), { runDir, bridge: sides.bridge, now: before.routing }),
    // A dnsmasq that is left of an earlier bridge is of no use to anybody.
    original: { ...before, dnsmasq: undefined },
    pending: { command: 'brup', before },
  }
}
