import { readFileSync } from 'node:fs'

import { expect, test } from 'vitest'

import { CommandError, type ErrorKind } from '../../src/errors.ts'
import { statusOutcome } from '../../src/report/status.ts'
import { stateSchema } from '../../src/state-schema.ts'
import type { NetworkState } from '../../src/state.ts'
import type { Step } from '../../src/step.ts'
import type { Journal } from '../../src/transaction/journal.ts'

// docs/json.md against the code; the compiler sees to it that each list below is complete.

const doc = readFileSync(new URL('../../docs/json.md', import.meta.url), 'utf8')

/** The rows of all tables under a heading, cell by cell. */
function rowsUnder(heading: string): string[][] {
  const section = doc.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? ''
  const lines = section.split('\n').filter((line) => line.startsWith('| '))
  return lines.map((line) => line.slice(2, -2).split(' | '))
}

const quoted = (cell = ''): string[] => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '')
const firstCells = (heading: string): string[] => rowsUnder(heading).flatMap(([cell]) => quoted(cell))

const keys = (record: object): string[] => Object.keys(record)

test('the kinds of error, with their exit codes', () => {
  const codes: Readonly<Record<Exclude<ErrorKind, 'interrupted'>, number>> = {
    failed: 1,
    usage: 2,
    config: 2,
    refused: 3,
    incomplete: 4,
    locked: 5,
  }
  const kinds = keys(codes) as (keyof typeof codes)[]
  for (const kind of kinds) expect(new CommandError(kind, 'x').exit).toBe(codes[kind])
  const rows = [...kinds.map((kind) => [`\`${kind}\``, String(codes[kind])]), ['`interrupted`', '128+n']]
  expect(rowsUnder('All commands')).toEqual(expect.arrayContaining(rows))
})

const empty: NetworkState = {
  links: [],
  addresses: [],
  routes: [],
  rules: [],
  nexthops: [],
  neighbours: [],
  sysctls: [],
  routing: undefined,
  dnsmasq: undefined,
  firewall: undefined,
  clients: undefined,
  manager: undefined,
  networkd: undefined,
  resolved: undefined,
  resolvconf: undefined,
}

test('the fields of brstatus', () => {
  const outcome = statusOutcome({
    bridge: 'br0',
    state: empty,
    holders: [],
    journal: { kind: 'none' },
    locked: false,
    owners: [],
    trial: undefined,
    detached: [],
    drift: [],
  })
  const own = keys(outcome.json).filter((key) => key !== 'bridge')
  expect(firstCells('brstatus').sort()).toEqual(own.sort())
})

test('each step, with what it works on', () => {
  const operands: Readonly<Record<Step['op'], readonly string[]>> = {
    'bridge.add': ['name', 'mac', 'mtu', 'stp'],
    'link.name': ['dev', 'name', 'alias'],
    'link.alias': ['dev', 'alias'],
    'link.mtu': ['dev', 'mtu'],
    'link.mac': ['dev', 'mac'],
    'link.addrgenmode': ['dev', 'mode'],
    'link.up': ['dev'],
    'link.down': ['dev'],
    'link.del': ['dev'],
    'link.nomaster': ['dev'],
    'link.master': ['dev', 'master'],
    'bridge.stp': ['dev', 'on'],
    'port.set': ['dev', 'flags'],
    'vlan.add': ['dev', 'vlan'],
    'vlan.del': ['dev', 'vlan'],
    'fdb.replace': ['dev', 'mac'],
    'fdb.del': ['dev', 'mac'],
    'addr.add': ['address'],
    'addr.change': ['address'],
    'addr.del': ['address'],
    'route.add': ['route'],
    'route.prepend': ['route'],
    'route.append': ['route'],
    'route.replace': ['route'],
    'route.del': ['route'],
    'rule.add': ['rule'],
    'rule.del': ['rule'],
    'nexthop.replace': ['nexthop'],
    'nexthop.del': ['nexthop'],
    'neigh.replace': ['neighbour'],
    'neigh.del': ['neighbour'],
    'neigh.seed': ['dev', 'dst', 'mac'],
    'neigh.flush': ['dev'],
    'sysctl.set': ['sysctl'],
    'nft.load': ['text'],
    'dnsmasq.start': ['bridge', 'words'],
    'firewall.load': ['tool', 'lines'],
    'zone.join': ['zone', 'dev'],
    'zone.leave': ['zone', 'dev'],
    'dnsmasq.stop': ['bridge'],
    'client.start': ['client', 'inherits', 'kept'],
    'client.stop': ['client'],
    'nm.tell': ['bridge', 'text'],
    'nm.release': ['dev', 'to'],
    'nm.forget': ['dev', 'to'],
    'nm.recall': ['index', 'to'],
    'nm.up': ['dev', 'to', 'anew'],
    'networkd.units': ['put', 'remove', 'passing', 'reload', 'awaits', 'released'],
    'dns.set': ['dev', 'key', 'values'],
    'dns.revert': ['dev'],
    'dns.hold': ['dev'],
    'dns.release': ['dev', 'index', 'settings'],
    'resolvconf.add': ['record'],
    'resolvconf.del': ['record'],
  } satisfies { [Op in Step['op']]: (keyof Extract<Step, { op: Op }>)[] }
  const documented = rowsUnder('Steps').flatMap(([ops, fields]) =>
    quoted(ops).map((op) => [op, quoted(fields)] as const),
  )
  expect(Object.fromEntries(documented)).toEqual(operands)
})

test('the journal and the states in it', () => {
  const fields: Readonly<Record<keyof Journal, true>> = {
    schema: true,
    id: true,
    bootId: true,
    namespace: true,
    bridge: true,
    uplink: true,
    adopted: true,
    told: true,
    routed: true,
    original: true,
    raised: true,
    pending: true,
  }
  const parts = stateSchema.pipe[0].entries
  expect(firstCells('The journal').sort()).toEqual([...keys(fields), ...keys(parts)].sort())
  for (const [part, each] of rowsUnder('The journal')) {
    const schema = Object.entries(parts).find(([name]) => `\`${name}\`` === part)?.[1]
    if (schema === undefined) continue
    const bare = 'wrapped' in schema ? schema.wrapped : schema
    const inner = 'item' in bare ? bare.item : bare
    const entries = 'entries' in inner ? inner.entries : {}
    expect([part, quoted(each)]).toEqual([part, keys(entries)])
  }
})
