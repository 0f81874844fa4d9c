import { randomBytes } from 'node:crypto'
import { uplinkOwner } from '../adapters/owners.ts'
import type { BrupArgs } from '../args.ts'
import { loadConfig } from '../config.ts'
import type { BridgeConfig } from '../config-schema.ts'
import { CommandError, refusal } from '../errors.ts'
import type { Command, Outcome } from '../host.ts'
import { bootId, bootSeconds } from '../kernel/clock.ts'
import { answeringGateways, silentGateways } from '../kernel/gateway.ts'
import { observe } from '../kernel/observe.ts'
import { isWireless } from '../kernel/wireless.ts'
import type { Cidr, IpAddress } from '../names.ts'
import type { Sides } from '../plan/footprint.ts'
import { raisedGoal } from '../plan/goals.ts'
import { readMark } from '../plan/marks.ts'
import { makePlan } from '../plan/planner.ts'
import { brupRefusal } from '../plan/refusals.ts'
import { withTold } from '../plan/told.ts'
import { defaultUplink } from '../plan/uplink.ts'
import { planOutcome, raisedOutcome } from '../report/outcome.ts'
import { findLink, type NetworkState } from '../state.ts'
import { runChange } from '../transaction/change.ts'
import { writeJournal, type Journal } from '../transaction/journal.ts'
import { namespaceInode } from '../transaction/run-dir.ts'
import { observeSides } from '../transaction/verify.ts'
import { inSession, type Session } from './session.ts'

/** What is asked for: the command line, and the configuration where that is silent. */
interface Wish {
  readonly bridge: string
  readonly uplink: string | undefined
  readonly addresses: readonly Cidr[]
  readonly gateways: readonly IpAddress[]
  readonly checkGatewaySeconds: number
  readonly dryRun: boolean
}

const defaultCheckSeconds = 5

export const brup: Command<BrupArgs> = {
  name: 'brup',
  run: async (args, host) => {
    const wish = wishOf(args, loadConfig(args.config, host.env))
    return inSession(host, { name: 'brup', bridge: wish.bridge, quiet: args.quiet }, (session) =>
      raise(wish, session),
    )
  },
}

function wishOf(args: BrupArgs, config: { defaultBridge: string; bridges: readonly BridgeConfig[] }): Wish {
  const bridge = args.bridge ?? config.defaultBridge
  const configured = config.bridges.find(({ name }) => name === bridge)
  return {
    bridge,
    uplink: args.uplink ?? configured?.uplink,
    addresses: args.addresses.length > 0 ? args.addresses : (configured?.addresses ?? []),
    gateways: args.gateways.length > 0 ? args.gateways : (configured?.gateways ?? []),
    checkGatewaySeconds: args.checkGatewaySeconds ?? configured?.checkGatewaySeconds ?? defaultCheckSeconds,
    dryRun: args.dryRun,
  }
}

async function raise(wish: Wish, session: Session): Promise<Outcome> {
  const { bridge } = wish
  if (session.journal !== undefined) return alreadyRaised(wish, session.journal)
  const sides = { uplink: wish.uplink ?? defaultUplink(await observe([])) ?? missingUplink(), bridge }
  const before = await observeSides(sides)
  refuse(before, sides)
  const id = randomBytes(5).toString('hex')
  const goal = withTold(raisedGoal(before, { sides, id }), bridge, wish)
  const plan = makePlan(before, goal, sides)
  if (wish.dryRun) return planOutcome(plan, sides, bootSeconds())
  const journal = newJournal(wish, { before, sides, id })
  const gateways = await gatewaysToCheck(wish, { before, goal, sides })
  await runChange({
    ...session,
    journal,
    sides,
    plan,
    goal,
    check: () => checkGateways(bridge, gateways, wish.checkGatewaySeconds),
    commit: (raised) => {
      writeJournal(session.runDir, { ...journal, pending: undefined, raised })
    },
  })
  return raisedOutcome(plan, sides)
}

const missingUplink = (): never => {
  throw refusal('no uplink found: there is no default route', 'give --uplink IF')
}

function refuse(before: NetworkState, sides: Sides): void {
  const reason = brupRefusal(before, sides)
  if (reason !== undefined) throw reason
  const { uplink } = sides
  if (isWireless(uplink))
    throw refusal(`${uplink} is Wi-Fi, which cannot be a port of a bridge`, 'use a wired uplink')
  const owner = uplinkOwner({ name: uplink, index: findLink(before, uplink)?.index ?? 0 })
  if (owner !== undefined)
    throw refusal(
      `${owner.name} (pid ${owner.pid}) manages ${uplink} and would put its addresses back there`,
      owner.release,
    )
}

function newJournal(
  wish: Wish,
  { before, sides, id }: { before: NetworkState; sides: Sides; id: string },
): Journal & { pending: NonNullable<Journal['pending']> } {
  const link = findLink(before, sides.uplink)
  return {
    schema: 1,
    id,
    bootId: bootId(),
    namespace: namespaceInode(),
    bridge: sides.bridge,
    uplink: { name: sides.uplink, index: link?.index ?? 0, mac: link?.mac ?? '' },
    adopted: findLink(before, sides.bridge) !== undefined,
    told: toldTexts(wish),
    original: before,
    pending: { command: 'brup', before },
  }
}

const toldTexts = ({ addresses, gateways }: Wish): Journal['told'] => ({
  addresses: addresses.map(({ text, prefixLength }) => `${text}/${prefixLength}`),
  gateways: gateways.map(({ text }) => text),
})

/** Idempotent: the same wish again is done; another one is refused. */
async function alreadyRaised(wish: Wish, journal: Journal): Promise<Outcome> {
  const { bridge } = wish
  const uplink = journal.uplink.name
  const state = await observe([])
  const down = `run brdown ${bridge} first`
  const isOurs = journal.adopted || readMark(findLink(state, bridge))?.id === journal.id
  if (findLink(state, bridge) === undefined || !isOurs || findLink(state, uplink)?.master !== bridge)
    throw refusal(`${bridge} is no longer as brup left it: ${uplink} is not its port`, down)
  if (wish.uplink !== undefined && wish.uplink !== uplink)
    throw refusal(`${bridge} is up with the uplink ${uplink}, not ${wish.uplink}`, down)
  const told = toldTexts(wish)
  const isTold = told.addresses.length + told.gateways.length > 0
  if (isTold && JSON.stringify(told) !== JSON.stringify(journal.told))
    throw refusal(`${bridge} is up with other addresses or gateways`, down)
  return raisedOutcome(undefined, { uplink, bridge })
}

interface Look {
  readonly before: NetworkState
  readonly goal: NetworkState
  readonly sides: Sides
}

/** The default gateways of the goal that answer on the uplink now: only those can be held against the change. */
async function gatewaysToCheck(wish: Wish, { goal, sides }: Look): ReturnType<typeof answeringGateways> {
  if (wish.checkGatewaySeconds === 0) return []
  const hops = goal.routes.filter(({ dst }) => dst === 'default').flatMap(({ hops: all }) => all)
  const addresses = hops.flatMap(({ dev, gateway }) =>
    dev === sides.bridge && gateway !== undefined ? [gateway] : [],
  )
  return answeringGateways(sides.uplink, [...new Set(addresses)])
}

async function checkGateways(
  bridge: string,
  gateways: Awaited<ReturnType<typeof answeringGateways>>,
  seconds: number,
): Promise<void> {
  if (gateways.length === 0) return
  const silent = await silentGateways(bridge, gateways, seconds * 1000)
  if (silent.length > 0)
    throw new CommandError('failed', `the gateway ${silent.join(', ')} does not answer on ${bridge}`)
}
