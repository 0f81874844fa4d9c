import type {
  DhcpClient,
  Inherited,
  ManagedDevice,
  ManagedLink,
  ResolvconfRecord,
  ResolvedLink,
  Unit,
} from './owner-state.ts'
import type { Step } from './step.ts'

/** What those are told who look after the uplink and the bridge (owner-state.ts). */
export type OwnerStep =
  | ClientStart
  | { readonly op: 'client.stop'; readonly client: DhcpClient }
  | ManagerStep
  | NetworkdStep
  | ResolvedStep
  | ResolvconfStep

export interface ClientStart {
  readonly op: 'client.start'
  readonly client: DhcpClient
  readonly inherits: readonly Inherited[]
  /** Whether it is begun again when somebody ends it. */
  readonly kept: boolean
}

/** What NetworkManager does. */
export type ManagerStep =
  /** It reads this in its run-time configuration, or (`undefined`) no more. */
  | { readonly op: 'nm.tell'; readonly bridge: string; readonly text: string | undefined }
  | { readonly op: 'nm.release'; readonly dev: string; readonly to: ManagedDevice }
  | { readonly op: 'nm.forget'; readonly dev: string; readonly to: ManagedDevice }
  /** It does not run: what it finds of the link of that index when it starts. */
  | { readonly op: 'nm.recall'; readonly index: number; readonly to: ManagedDevice }
  /** It turns IPv6 off and on there; `anew` puts that back. */
  | {
      readonly op: 'nm.up'
      readonly dev: string
      readonly to: ManagedDevice
      readonly anew: readonly Step[]
    }

/** Files for systemd-networkd, and what it makes of them. */
export interface NetworkdStep {
  readonly op: 'networkd.units'
  readonly put: readonly Unit[]
  /** Their names. */
  readonly remove: readonly string[]
  /** Those that are there while it reads its files, and no longer. */
  readonly passing: readonly Unit[]
  /** Whether it is to read its files. */
  readonly reload: boolean
  /** By which file it goes then, for each link. */
  readonly awaits: readonly ManagedLink[]
  /** Those that it must leave alone then. */
  readonly released: readonly string[]
}

/** What systemd-resolved is told; no values: it is told that there are none. */
export type ResolvedStep =
  | { readonly op: 'dns.set'; readonly dev: string; readonly key: string; readonly values: readonly string[] }
  | { readonly op: 'dns.revert'; readonly dev: string }
  /** It is not to lose what it was told of the link while that leaves its bridge; and is told again what it lost. */
  | { readonly op: 'dns.hold'; readonly dev: string }
  | ({ readonly op: 'dns.release'; readonly index: number } & ResolvedLink)

export type ResolvconfStep =
  | { readonly op: 'resolvconf.add'; readonly record: ResolvconfRecord }
  | { readonly op: 'resolvconf.del'; readonly record: ResolvconfRecord }

type Owner<T> = T extends `${infer Name}.${string}` ? Name : never

const owners: ReadonlySet<string> = new Set<Owner<OwnerStep['op']>>([
  'client',
  'nm',
  'networkd',
  'dns',
  'resolvconf',
])

/** Steps are named by whom they are for. */
const ownerOf = ({ op }: Step): string => op.slice(0, op.indexOf('.'))

export const isOwnerStep = (step: Step): step is OwnerStep => owners.has(ownerOf(step))

export const isManagerStep = (step: Step): step is ManagerStep => ownerOf(step) === 'nm'

export const isResolvedStep = (step: Step): step is ResolvedStep => ownerOf(step) === 'dns'
