import type { Family } from './names.ts'

/** The host's own firewall, where it could keep guests from each other and from their way. */
export interface Firewall {
  /** Why it cannot be read; the rest is empty then. */
  readonly problem: string | undefined
  /** The families whose bridged frames go through it (br_netfilter). */
  readonly bridged: readonly Family[]
  /** Chains that end what none of their rules lets pass. */
  readonly closed: readonly FirewallChain[]
  /** Those of ours for the bridge, in order. */
  readonly rules: readonly FirewallRule[]
  /** `undefined` where it does not run. */
  readonly firewalld: Firewalld | undefined
  /**
   * The port that is kept from asking for a lease but through its bridge (lease-guard.ts); empty: what keeps it is not whole; left
   * out: none is.
   */
  readonly guarded?: string | undefined
}

export interface Firewalld {
  readonly zones: readonly ZonedLink[]
  /** The zone of all that nobody put into one. */
  readonly defaultZone: string
}

/** A link that somebody put into a zone. */
export interface ZonedLink {
  readonly zone: string
  readonly dev: string
}

export interface FirewallChain {
  /** `nft`, or an iptables by the name of its program: `ip6tables-legacy`. */
  readonly tool: string
  /** Where a rule of ours goes: `DOCKER-USER`, or for nft `inet filter forward`. */
  readonly name: string
  readonly hook: 'forward' | 'input'
  readonly families: readonly Family[]
  /** Before which rule ours go: its number, from 1, or for nft its handle; `undefined`: behind them all. */
  readonly before: number | undefined
}

export interface FirewallRule {
  readonly tool: string
  readonly chain: string
  /** In the words of the tool, with our mark in its comment. */
  readonly text: string
  /** By which nft deletes it. */
  readonly handle: number | undefined
}
