import type { Outcome } from '../host.ts'
import { readMark } from '../plan/marks.ts'
import { ownerText, type OwnerName } from '../plan/owner-names.ts'
import { addressesOf, findLink, portsOf, type Link, type NetworkState } from '../state.ts'

/** All that brstatus looked at. */
export interface StatusView {
  readonly bridge: string
  readonly state: NetworkState
  readonly holders: readonly { readonly tap: string; readonly pid: number; readonly command: string }[]
  readonly journal: JournalView
  readonly locked: boolean
  /** Whoever looked after the uplink before brup. */
  readonly owners: readonly OwnerName[]
  /** Seconds that a trial has left. */
  readonly trial: number | undefined
  /** Taps that were taken off the bridge when it was taken back. */
  readonly detached: readonly string[]
  /** What is no longer as brup left it. */
  readonly drift: readonly string[]
}

type JournalView =
  | { readonly kind: 'none' }
  | { readonly kind: 'unusable'; readonly path: string; readonly reason: string }
  | {
      readonly kind: 'usable'
      readonly journal: {
        readonly id: string
        readonly uplink?: { readonly name: string } | undefined
        readonly adopted: boolean
        readonly told: { readonly nat: boolean }
        readonly pending?: { readonly command: string } | undefined
      }
    }

interface Port {
  readonly name: string
  readonly role: 'uplink' | 'tap' | 'other'
  readonly carrier: boolean
  readonly holders: readonly { readonly pid: number; readonly command: string }[]
}

export function statusOutcome(view: StatusView): Outcome {
  const { bridge, state } = view
  const link = findLink(state, bridge)
  const ports = portsOf(state, bridge).map((port) => portView(port, view))
  const addresses = addressesOf(state, bridge).map(({ local, prefixLength }) => `${local}/${prefixLength}`)
  const json = {
    bridge,
    exists: link !== undefined,
    madeByBrup: readMark(link) !== undefined,
    link: link === undefined ? null : { mac: link.mac, mtu: link.mtu, up: link.up, carrier: link.carrier },
    addresses,
    ports,
    owners: view.owners,
    pending: pendingText(view) ?? null,
    trial: view.trial === undefined ? null : { secondsLeft: Math.ceil(view.trial) },
    detached: view.detached.map((name) => ({ name, holders: holdersOf(name, view) })),
    drift: view.drift,
    journal: journalView(view),
  }
  return { text: textOf(view, { link, ports, addresses }), json }
}

const portView = (port: Link, view: StatusView): Port => ({
  name: port.name,
  role:
    view.journal.kind === 'usable' && view.journal.journal.uplink?.name === port.name
      ? 'uplink'
      : port.kind === 'tun'
        ? 'tap'
        : 'other',
  carrier: port.carrier,
  holders: holdersOf(port.name, view),
})

const holdersOf = (name: string, { holders }: StatusView): Port['holders'] =>
  holders.filter(({ tap }) => tap === name).map(({ pid, command }) => ({ pid, command }))

function pendingText({ journal, locked, bridge, state, trial }: StatusView): string | undefined {
  if (trial !== undefined && trial > 0) return undefined
  const command = journal.kind === 'usable' ? journal.journal.pending?.command : undefined
  if (command !== undefined)
    return locked
      ? `${command} is at work`
      : `an unfinished ${command}: the next brup or brdown takes it back`
  return readMark(findLink(state, bridge))?.pending === true ? 'marked as pending' : undefined
}

function journalView({ journal }: StatusView): object | null {
  switch (journal.kind) {
    case 'none':
      return null
    case 'unusable':
      return { usable: false, path: journal.path, reason: journal.reason }
    case 'usable': {
      const { id, uplink, told, adopted } = journal.journal
      return { usable: true, id, uplink: uplink?.name ?? null, nat: told.nat, adopted }
    }
  }
}

interface Parts {
  readonly link: Link | undefined
  readonly ports: readonly Port[]
  readonly addresses: readonly string[]
}

function textOf(view: StatusView, { link, ports, addresses }: Parts): string {
  const lines = [
    link === undefined ? `${view.bridge}: not there` : `${view.bridge}: ${linkText(link)}`,
    ...addresses.map((address) => `  address ${address}`),
    ...ports.map((port) => `  port ${portText(port)}`),
  ]
  const uplink = view.journal.kind === 'usable' ? view.journal.journal.uplink?.name : undefined
  for (const owner of view.owners) lines.push(`  ${ownerText(owner, uplink ?? '')}`)
  const pending = pendingText(view)
  if (pending !== undefined) lines.push(`  pending: ${pending}`)
  if (view.trial !== undefined && view.trial > 0)
    lines.push(`  on trial: ${Math.ceil(view.trial)} s left (brup ${view.bridge} --accept keeps it)`)
  for (const line of view.drift) lines.push(`  drift: ${line}`)
  for (const name of view.detached) lines.push(`  detached ${detachedText(name, view)}`)
  if (view.journal.kind === 'unusable') lines.push(`  journal: ${view.journal.path} ${view.journal.reason}`)
  return `${lines.join('\n')}\n`
}

const linkText = (link: Link): string =>
  [
    link.kind === 'bridge' ? (link.up ? 'up' : 'down') : 'no bridge',
    link.carrier ? 'carrier' : 'no carrier',
    `mac ${link.mac}`,
    `mtu ${link.mtu}`,
    ...(readMark(link) === undefined ? [] : ['made by brup']),
  ].join(', ')

const detachedText = (name: string, view: StatusView): string =>
  [name, ...holderTexts(holdersOf(name, view)), `the next brup ${view.bridge} attaches it`].join(', ')

const holderTexts = (holders: Port['holders']): readonly string[] =>
  holders.map(({ pid, command }) => `pid ${pid} ${command}`)

const portText = ({ name, role, carrier, holders }: Port): string =>
  [
    `${name} (${role})`,
    ...(carrier ? [] : ['no carrier']),
    ...holderTexts(holders),
    ...(role === 'tap' && holders.length === 0 ? ['held by no process'] : []),
  ].join(', ')
