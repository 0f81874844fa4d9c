import { guardTable } from '../nft-names.ts'
import { hasNft, nft } from './nft.ts'
import { parseRuleset, type Ruleset } from './parse-firewall.ts'

/** What keeps the uplink from asking for a lease by itself, in nft's list. */

/** The uplink; empty where only a part of it is there. */
export function guardedLink({ tables, chains }: Ruleset, bridge: string): string | undefined {
  const own = ['bridge', 'netdev'].map((family) => `${family} ${guardTable(bridge)}`)
  if (!own.some((table) => tables.includes(table))) return undefined
  const [[bridged] = [], [dropped] = []] = own.map((table) =>
    chains.filter((chain) => chain.table === table).flatMap(({ rules }) => rules),
  )
  // Of a link that is gone there is only a number.
  const link = /^oif "([^"]*)" /u.exec(dropped?.text ?? '')?.[1]
  return bridged === undefined ? '' : (link ?? '')
}

/** The same where not all can be listed. */
export async function guardedAlone(bridge: string): Promise<string | undefined> {
  if (!hasNft()) return undefined
  const listed = await Promise.all(
    ['bridge', 'netdev'].map((family) => nft(['-s', '-a', 'list', 'table', family, guardTable(bridge)])),
  )
  return guardedLink(parseRuleset(listed.map(({ stdout }) => stdout).join('')), bridge)
}
