import { hasNmcli, isManagerRunning, isManagerYoung, linkOf, profileOf } from '../kernel/network-manager.ts'
import type { Move } from '../plan/footprint.ts'
import type { NetworkManager } from '../owner-state.ts'

/** Why an uplink that NetworkManager manages cannot be taken along to a bridge, and back. */
export interface ProfileProblem {
  readonly reason: string
  readonly wayOut: string
}

export async function profileProblem(
  { uplink: dev, bridge }: Move,
  { uplink: link, silent }: NetworkManager,
): Promise<ProfileProblem | undefined> {
  if (!isManagerRunning()) return undefined
  if (!hasNmcli())
    return { reason: 'nmcli, which could tell it to let go, is not installed', wayOut: 'install nmcli' }
  if (link === undefined && isManagerYoung())
    return { reason: 'it has just started', wayOut: 'try again in a moment' }
  if (silent === true) return { reason: 'it does not answer', wayOut: 'nmcli general status says why' }
  if (link?.managed !== true) return undefined
  const wayOut = `nmcli device set ${dev} managed no, with static addresses`
  if (link.profile === undefined) return { reason: 'has no profile of its own on it', wayOut }
  const own = await linkOf(bridge)
  if (own?.managed === true && own.profile !== undefined)
    return {
      reason: `${bridge}, too, by a profile of its own`,
      wayOut: `nmcli connection down uuid ${own.profile}`,
    }
  const bad = await unfitSetting(link.profile)
  return bad === undefined ? undefined : { reason: `its profile cannot be taken along: ${bad}`, wayOut }
}

const fitting: Readonly<Record<string, readonly string[]>> = {
  'connection.type': ['802-3-ethernet'],
  'connection.master': [''],
  '802-1x.eap': [''],
  'ipv4.method': ['auto', 'manual', 'link-local', 'disabled'],
  'ipv6.method': ['auto', 'dhcp', 'manual', 'link-local', 'ignore', 'disabled'],
}

async function unfitSetting(uuid: string): Promise<string | undefined> {
  const profile = await profileOf(uuid, Object.keys(fitting))
  for (const [name, values] of Object.entries(fitting)) {
    const value = profile.get(name) ?? ''
    if (!values.includes(value)) return `${name} is ${value}`
  }
  return undefined
}
