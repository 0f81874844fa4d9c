import { CommandError, messageOf, refusal } from '../errors.ts'
import { firewallRulesNaming } from '../kernel/rulesets.ts'
import { zoneForwards } from '../kernel/firewalld.ts'
import { mayChangeNetwork } from '../kernel/privilege.ts'
import type { Opening } from '../plan/firewall-rules.ts'
import { canBeNamed, closedTexts, openedFirewall, zoneBetween } from '../plan/firewall.ts'
import { isMove, type Sides } from '../plan/footprint.ts'
import type { Firewall } from '../firewall-state.ts'
import type { NetworkState } from '../state.ts'
import type { Session } from './session.ts'
import type { Wish } from './wish.ts'

/** Throws (exit 3) where rules name the uplink, if that is asked for. */
export async function tellOfFirewall(
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
