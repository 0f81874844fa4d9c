import type { ManagedDevice } from './owner-state.ts'

/** What NetworkManager is told: a file that it reads, and words for nmcli. */

/** It is gone after a restart of the machine, and read again at each start of NetworkManager. */
export const toldFolder = '/run/NetworkManager/conf.d'
export const toldFile = (bridge: string): string => `${toldFolder}/90-qemu-tap-hooks-${bridge}.conf`

/** What it knows of a link by its index when it starts (nm_config_device_state_load()). */
export const stateFile = (index: number): string => `/run/NetworkManager/devices/${index}`

/** The lines that say of it that it has the link, with that profile, in place of the one that says that it has not. */
export const recalledLines = ({ profile }: ManagedDevice): readonly string[] => [
  'managed=true',
  ...(profile === undefined ? [] : [`connection-uuid=${profile}`]),
]
export const releasedLine = 'managed=false'

const setWords = (dev: string, ...words: readonly string[]): readonly string[] => [
  ...['device', 'set', dev],
  ...words,
]

const asBefore = (dev: string, { autoconnect }: ManagedDevice): readonly string[] =>
  setWords(dev, 'autoconnect', autoconnect ? 'yes' : 'no')

/** With `autoconnect no` first: else it would bring up a profile of its own choice, and take the link from its bridge for it. */
const takeWords = (dev: string): readonly string[] => setWords(dev, 'autoconnect', 'no', 'managed', 'yes')

const letGo = (dev: string): readonly string[] => setWords(dev, 'managed', 'no')

export const releaseWords = (dev: string, to: ManagedDevice): readonly (readonly string[])[] => [
  letGo(dev),
  asBefore(dev, to),
]

/**
 * NetworkManager remembers what it had put on a link, and would take that off first as soon as it has the link again. What is not
 * on the link then it forgets.
 */
export const forgetWords = (dev: string, to: ManagedDevice): readonly (readonly string[])[] => [
  takeWords(dev),
  letGo(dev),
  asBefore(dev, to),
]

export const upWords = (dev: string, to: ManagedDevice): readonly (readonly string[])[] => [
  takeWords(dev),
  ...(to.profile === undefined ? [] : [['connection', 'up', 'uuid', to.profile, 'ifname', dev]]),
  asBefore(dev, to),
]
