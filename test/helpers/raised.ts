import type { Sight } from './sight.ts'

/** An oracle of its own: what `ip -j` prints, compared with what it should print once eth0's is br0's. */

const rename = (text: string): string =>
  text.replaceAll('"eth0"', '"br0"').replace(/"label":"eth0:/, '"label":"br0:')

function diffLists(what: string, wanted: readonly string[], actual: readonly string[]): string[] {
  const gone = wanted.filter((each) => !actual.includes(each)).map((each) => `${what}: missing ${each}`)
  const come = actual.filter((each) => !wanted.includes(each)).map((each) => `${what}: too much ${each}`)
  if (gone.length + come.length > 0) return [...gone, ...come]
  const at = wanted.findIndex((each, index) => each !== actual[index])
  if (at >= 0) return [`${what}: order: ${actual[at] ?? ''} where ${wanted[at] ?? ''} should be`]
  return wanted.length === actual.length ? [] : [`${what}: a double`]
}

/** What is read only, or is the bridge's or the port's own. */
const ownSettings = /\/(mc_forwarding)$/

function diffSysctls(before: Sight, raised: Sight): string[] {
  return [...before.sysctls].flatMap(([path, value]) => {
    if (ownSettings.test(path)) return []
    const isUplink = path.includes('/conf/eth0/')
    const target = isUplink ? path.replace('/eth0/', '/br0/') : path
    const found = raised.sysctls.get(target)
    // Where the kernel would make a link-local address that is not wanted, the bridge makes none.
    if (target.endsWith('/br0/addr_gen_mode') && found === '1') return []
    return found === value ? [] : [`sysctl ${target}: is ${found ?? 'none'}, should be ${value}`]
  })
}

/** What of eth0 has not become br0's. Empty: all of it. */
export function diffRaised(before: Sight, raised: Sight): string[] {
  const { br0 } = raised
  if (br0 === undefined) return ['there is no br0']
  const hasSecret = JSON.stringify(before.eth0).includes('"stable-privacy":true')
  const traits = ['mtu', 'address'].flatMap((key) =>
    br0[key] === before.eth0[key]
      ? []
      : [`br0 ${key}: is ${String(br0[key])}, should be ${String(before.eth0[key])}`],
  )
  const lists = Object.entries(before.lists).flatMap(([name, items]) => {
    const wanted = items.map(rename)
    const isSorted = ['route6', 'neighbour', 'proxy'].includes(name)
    return diffLists(name, isSorted ? wanted.sort() : wanted, raised.lists[name] ?? [])
  })
  return [
    ...(raised.eth0['master'] === 'br0' ? [] : ['eth0 is no port of br0']),
    ...raised.addresses.eth0
      .filter((each) => !hasSecret || !each.includes('"scope":"link"'))
      .map((each) => `eth0 still has ${each}`),
    ...traits,
    ...diffLists('address', before.addresses.eth0.map(rename), raised.addresses.br0),
    ...lists,
    ...diffSysctls(before, raised),
  ]
}
