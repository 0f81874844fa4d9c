import type { Address } from '../../state.ts'

/** In which they are to be added: the kernel puts a new IPv6 address before those of its scope (ipv6_link_dev_addr()). */
export const inOrder = (addresses: readonly Address[]): readonly Address[] => [
  ...addresses.filter(({ family }) => family === 4),
  ...addresses.filter(({ family }) => family === 6).toReversed(),
]
