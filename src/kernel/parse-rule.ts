import type { Family } from '../names.ts'
import type { Rule } from '../state.ts'
import type { RawRule } from './schema.ts'

const known = new Set(
  (
    'priority not src srclen dst dstlen tos fwmark fwmask iif iif_detached oif oif_detached uid_start uid_end ' +
    'ipproto sport sport_start sport_end dport dport_start dport_end table suppress_prefixlen ' +
    'suppress_ifgroup flow_from flow_to goto unresolved action protocol'
  ).split(' '),
)

/** A policy rule as words for `ip rule add`, iif and oif kept apart: those are what moves. */
export const parseRule = (raw: RawRule, family: Family): Rule => ({
  family,
  priority: raw.priority,
  iif: raw.iif,
  oif: raw.oif,
  words: [...selector(raw), ...action(raw)],
  unknown: Object.keys(raw).filter((key) => !known.has(key)),
})

function selector(raw: RawRule): readonly string[] {
  return [
    ...('not' in raw ? ['not'] : []),
    ...(raw.src === 'all' ? [] : ['from', prefix(raw.src, raw.srclen)]),
    ...(raw.dst === undefined ? [] : ['to', prefix(raw.dst, raw.dstlen)]),
    ...option('tos', raw.tos),
    ...option('fwmark', withMask(raw.fwmark, raw.fwmask)),
    ...option('uidrange', range(raw.uid_start, raw.uid_end)),
    ...option('ipproto', raw.ipproto),
    ...option('sport', range(raw.sport_start, raw.sport_end) ?? raw.sport),
    ...option('dport', range(raw.dport_start, raw.dport_end) ?? raw.dport),
  ]
}

function action(raw: RawRule): readonly string[] {
  const realms = [raw.flow_from, raw.flow_to].filter((part) => part !== undefined).join('/')
  return [
    ...option('realms', realms === '' ? undefined : realms),
    ...option('protocol', raw.protocol === 'unspec' ? undefined : raw.protocol),
    ...option('table', raw.table),
    ...option('suppress_prefixlength', raw.suppress_prefixlen),
    ...option('suppress_ifgroup', raw.suppress_ifgroup),
    ...option('goto', raw.goto),
    ...(raw.action === undefined ? [] : [raw.action]),
  ]
}

const prefix = (address: string, length: number | undefined): string =>
  length === undefined ? address : `${address}/${length}`

const withMask = (mark: string | undefined, mask: string | undefined): string | undefined =>
  mark === undefined || mask === undefined ? mark : `${mark}/${mask}`

const range = (first: number | undefined, last: number | undefined): string | undefined =>
  first === undefined || last === undefined ? undefined : `${first}-${last}`

const option = (name: string, value: string | number | undefined): readonly string[] =>
  value === undefined ? [] : [name, String(value)]
