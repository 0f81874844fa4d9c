import type { Family } from './names.ts'

/** Who looks after the uplink and the bridge, and what was told them. */

export interface NetworkManager {
  /** `undefined` where it does not run, knows no such link, or is silent. */
  readonly uplink: ManagedDevice | undefined
  /** What brup told it in its run-time configuration; `undefined`: nothing. */
  readonly told: string | undefined
  /** It runs, and does not answer. */
  readonly silent?: boolean | undefined
}

/** A link as NetworkManager sees it. */
export interface ManagedDevice {
  readonly managed: boolean
  /** Whether it may bring a profile up on it by itself. */
  readonly autoconnect: boolean
  /** The UUID of the active one; what it only found on the link is none. */
  readonly profile: string | undefined
  /** In a state that is only foreseen: it does not remember any more what it had put on the link. */
  readonly forgotten?: boolean | undefined
}

/** What systemd-networkd has to do with the uplink and the bridge. */
export interface Networkd {
  readonly running: boolean
  /** The files that brup put for it, in the order of their names. */
  readonly units: readonly Unit[]
  /** Those of the two links that it manages. */
  readonly managed: readonly ManagedLink[]
}

/** A file under /run/systemd/network, by its name there. */
export interface Unit {
  readonly name: string
  readonly text: string
}

/** Name servers and domains that a program has told resolvconf. */
export interface ResolvconfRecord {
  /** That of a link, most often with that of the program: `br0.dhclient`. */
  readonly name: string
  readonly text: string
}

/** A link that systemd-networkd manages. */
export interface ManagedLink {
  readonly dev: string
  /** The .network file that it goes by, an absolute path. */
  readonly file: string
}

/** What systemd-resolved was told of a link at run time; one of which it was told nothing is left out. */
export interface ResolvedLink {
  readonly dev: string
  /** By the command of resolvectl (`dns`, `domain`, `llmnr`, …), in its words. */
  readonly settings: Readonly<Record<string, readonly string[]>>
}

/** A DHCP client, and what starts it again as it is. */
export interface DhcpClient {
  readonly name: DhcpClientName
  readonly families: readonly Family[]
  /** The link that it looks after; it may look after others besides. */
  readonly dev: string
  /** Its program, an absolute path. */
  readonly path: string
  readonly words: readonly string[]
  /** For the script that it runs. */
  readonly env: Readonly<Record<string, string>>
  /** AppArmor or SELinux let it have no files but at the usual places, and no script but its own. */
  readonly confined: boolean
  /** In a state that is only foreseen: it was ended on the way there. */
  readonly ended?: boolean | undefined
  /** It has ended a moment ago, and what keeps it on its bridge is about to begin it again. */
  readonly pausing?: boolean | undefined
}

export type DhcpClientName = 'dhclient' | 'dhcpcd' | 'udhcpc'

/** A DHCP client that this machine has. */
export interface InstalledClient {
  readonly name: DhcpClientName
  /** Its program, an absolute path. */
  readonly path: string
  /** Where its files belong, an absolute path. */
  readonly folder: string
  /** What udhcpc runs. */
  readonly script?: string
}

/** A file of a client of one link, for the client of another one; where there is none, nothing is made. */
export interface Inherited {
  readonly from: string
  readonly to: string
  /**
   * As it is; as text in which the link's name becomes `dev`; the same of leases, of which the last one of `oldDev` is over from then
   * on in the first file; or such text added to what is there, and taken away here.
   */
  readonly as: 'copy' | 'text' | 'leases' | 'append'
  readonly oldDev: string
  readonly dev: string
}
