import * as v from 'valibot'
import { bridge, bridgeTable } from './config-bridge.ts'
import type { BridgeConfig } from './config-bridge.ts'
import { forward, guestTable } from './config-guests.ts'
import { tap, tapTable } from './config-tap.ts'
import type { TapRule } from './config-tap.ts'
import { about, link, pathTo } from './config-values.ts'
import type { LinkName } from './names.ts'

export interface Config {
  readonly defaultBridge: LinkName
  readonly bridges: readonly BridgeConfig[]
  readonly taps: readonly TapRule[]
}

const bridges = v.pipe(
  v.array(bridge, 'is not a list of tables (write [[bridge]])'),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return
    const list = dataset.value
    list.forEach(({ name }, i) => {
      if (list.findIndex((other) => other.name === name) === i) return
      const path = pathTo(list, i, 'name')
      addIssue({ message: `${JSON.stringify(name)} is the name of an earlier [[bridge]] too`, path })
    })
  }),
)

const fileTable = v.strictObject({
  default_bridge: v.optional(about('the bridge of commands that name none', link), 'br0'),
  bridge: v.optional(about('a bridge that brup raises', bridges), []),
  tap: v.optional(
    about('how the taps of guests are dealt with', v.array(tap, 'is not a list of tables (write [[tap]])')),
    [],
  ),
})

export const configSchema = v.pipe(
  fileTable,
  v.transform((file): Config => ({
    defaultBridge: file.default_bridge,
    bridges: file.bridge,
    taps: file.tap,
  })),
)

const keysOf = ({ entries }: { readonly entries: object }): string => Object.keys(entries).join(', ')

/** Of each table, by its path. */
export const allowedKeys: Readonly<Record<string, string>> = {
  '': keysOf(fileTable),
  bridge: keysOf(bridgeTable),
  'bridge.forward': keysOf(forward),
  'bridge.guest': keysOf(guestTable),
  tap: keysOf(tapTable),
}
