import type { Lab } from './lab.ts'
import type { Node } from './topology.ts'

// One shell for all of it. The order within a section means something unless it is sorted.
const sections: readonly { readonly title: string; readonly command: string; readonly sort?: boolean }[] = [
  { title: 'link', command: 'ip -o -d link' },
  { title: 'address', command: 'ip -o addr' },
  { title: 'route', command: 'ip -o -4 route show table all' },
  { title: 'route6', command: 'ip -o -6 route show table all', sort: true },
  { title: 'rule', command: 'ip -o -4 rule' },
  { title: 'rule6', command: 'ip -o -6 rule' },
  { title: 'nexthop', command: 'ip -o nexthop' },
  { title: 'neighbour', command: 'ip -o neigh show nud permanent', sort: true },
  { title: 'proxy', command: 'ip -o -4 neigh show proxy; ip -o -6 neigh show proxy', sort: true },
  // stable_secret cannot be read while it is unset: an error of its own.
  {
    title: 'sysctl',
    command: 'cd /proc/sys/net && grep -rs "" ipv4/conf ipv6/conf',
    sort: true,
  },
  { title: 'firewall', command: 'nft -s list ruleset' },
]

const mark = '=== '
const script = sections.map(({ title, command }) => `echo '${mark}${title}'; (${command})`).join('\n')

/** Without what changes by itself: interface indexes (a blank follows them, a tab the preference of a rule), timers, remaining lifetimes, and blanks at the ends of lines. */
export function normalise(line: string): string {
  return line
    .replace(/^\d+: /, '')
    .replace(/@if\d+:/, '@peer:')
    .replace(/\b(\w+_timer) +[\d.]+/g, '$1')
    .replace(/\b(valid_lft|preferred_lft) \d+sec/g, '$1 finite')
    .replace(/\bexpires -?\d+sec/g, 'expires finite')
    .replace(/\bused \d+(\/\d+)*/g, 'used')
    .replace(/\\/g, ' ')
    .replace(/\s+/g, ' ')
    .trimEnd()
}

/**
 * The state of a node's network as text, one line for each thing, under a heading for each kind: links, addresses,
 * routes of all tables and rules of both families, next hops, permanent and proxy neighbours, the sysctls of all
 * interfaces, firewall rules. Two equal snapshots mean the same network. Not in it: how much of a finite lifetime is
 * left, and interface indexes.
 */
export async function snapshot(lab: Lab, node: Node = 'host'): Promise<string> {
  const text = await lab.ok(node, ['sh', '-c', script])
  return text
    .split(mark)
    .slice(1)
    .flatMap((part) => {
      const [title = '', ...lines] = part.trimEnd().split('\n')
      const clean = lines.map(normalise)
      const sorted = sections.find((each) => each.title === title)?.sort === true ? clean.sort() : clean
      return [`${mark}${title}`, ...sorted]
    })
    .join('\n')
}

const bySection = (text: string): Map<string, string[]> => {
  const found = new Map<string, string[]>()
  let lines: string[] = []
  for (const line of text.split('\n')) {
    if (line.startsWith(mark)) found.set(line.slice(mark.length), (lines = []))
    else lines.push(line)
  }
  return found
}

/** What is in `lines` more often than in `others`. */
const surplus = (lines: readonly string[], others: readonly string[]): string[] => {
  const left = new Map<string, number>()
  for (const line of others) left.set(line, (left.get(line) ?? 0) + 1)
  return lines.filter((line) => {
    const count = left.get(line) ?? 0
    left.set(line, count - 1)
    return count <= 0
  })
}

function diffSection(title: string, before: readonly string[], after: readonly string[]): string[] {
  const gone = surplus(before, after).map((line) => `${title}: - ${line}`)
  const come = surplus(after, before).map((line) => `${title}: + ${line}`)
  if (gone.length > 0 || come.length > 0) return [...gone, ...come]
  const moved = before.findIndex((line, index) => line !== after[index])
  return moved < 0 ? [] : [`${title}: order: ${before[moved]} | now: ${after[moved]}`]
}

/** Empty when both are equal; else a line for each thing that went (`-`), came (`+`) or changed its place. */
export function diffSnapshots(before: string, after: string): string[] {
  const [old, now] = [bySection(before), bySection(after)]
  const titles = new Set([...old.keys(), ...now.keys()])
  return [...titles].flatMap((title) => diffSection(title, old.get(title) ?? [], now.get(title) ?? []))
}
