import type { CheckCommand } from '../config-bridge.ts'
import { CommandError, refusal } from '../errors.ts'
import { runCheck } from '../kernel/check-command.ts'
import { isExecutable } from '../kernel/program.ts'
import { isMove, type Sides } from '../plan/footprint.ts'
import { quoted } from '../shell.ts'
import type { NetworkState } from '../state.ts'
import type { Change } from './change.ts'
import { prepareGatewayCheck } from './gateway-check.ts'
import { throwIfInterrupted } from './interrupt.ts'

interface Checks {
  readonly checkGatewaySeconds: number
  readonly check: CheckCommand | undefined
}

interface Scene {
  readonly goal: NetworkState
  readonly sides: Sides
  readonly signal: AbortSignal
  readonly say: (line: string) => void
}

/** Throws (exit 3) where the check of the configuration could never succeed. */
export function refuseCheck(check: CheckCommand | undefined): void {
  const [program] = check?.words ?? []
  if (program === undefined || isExecutable(program)) return
  throw refusal(`the check ${program} cannot be run`, 'install it, or mend check in the configuration')
}

/** Looks at what answers before the change; returns what decides after the switch: the gateways, then the command. */
export async function prepareChecks(
  { checkGatewaySeconds: seconds, check }: Checks,
  scene: Scene,
): Promise<Change['check']> {
  const { sides } = scene
  const askGateways = isMove(sides)
    ? await prepareGatewayCheck({ ...scene, sides, seconds })
    : () => Promise.resolve()
  return async (onSpawn) => {
    await askGateways()
    throwIfInterrupted(scene.signal)
    if (check !== undefined) await runCommand(check, { ...scene, onSpawn })
  }
}

async function runCommand(
  { words, seconds }: CheckCommand,
  {
    sides: { bridge, uplink },
    signal,
    onSpawn,
  }: Pick<Scene, 'sides' | 'signal'> & { readonly onSpawn: Parameters<Change['check']>[0] },
): Promise<void> {
  const env = { BRIDGE: bridge, UPLINK: uplink ?? '' }
  const failure = await runCheck(words, { seconds, env, signal, onSpawn })
  throwIfInterrupted(signal)
  if (failure === undefined) return
  throw new CommandError('failed', `the check ${words.map(quoted).join(' ')} ${failure}`)
}
