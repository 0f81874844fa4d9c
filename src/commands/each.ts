import { loadConfig } from '../config.ts'
import { usageError } from '../errors.ts'
import type { Host } from '../host.ts'
import type { LinkName } from '../names.ts'

interface AllArgs {
  readonly all: boolean
  readonly bridge: LinkName | undefined
  readonly config: string | undefined
}

/** `--all`: every bridge of the configuration, in its order. */
export function everyBridge<Args extends AllArgs>(args: Args, host: Host): readonly Args[] | undefined {
  if (!args.all) return undefined
  const { bridges } = loadConfig(args.config, host.env)
  if (bridges.length === 0)
    throw usageError('the configuration has no bridges', 'write a [[bridge]] for each')
  return bridges.map(({ name }) => ({ ...args, bridge: name }))
}
