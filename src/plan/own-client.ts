import type { DhcpClient } from '../owner-state.ts'

/** What a DHCP client of our own is to ask for. */
export interface OwnClient {
  /** The program; busybox, or udhcpc by itself. */
  readonly path: string
  /** Where its files are, an absolute path. */
  readonly folder: string
  /** What it runs when something happens to the lease. */
  readonly script: string
  /** `undefined`: any. */
  readonly address: string | undefined
  /** As bytes in hexadecimal, colons between them; `undefined`: the MAC address of the bridge. */
  readonly clientId: string | undefined
  readonly hostname: string | undefined
  /** Of its default route. */
  readonly metric: number | undefined
}

/** A client of our own on the bridge. With the same identifier and the same MAC address it is the same host for the server. */
export const ownClient = (
  bridge: string,
  { path, folder, script, address, clientId, hostname, metric }: OwnClient,
): DhcpClient => ({
  name: 'udhcpc',
  families: [4],
  dev: bridge,
  path,
  words: [
    ...['-f', '-S', '-i', bridge, '-p', `${folder}/udhcpc4-${bridge}.pid`, '-s', script],
    ...(address === undefined ? [] : ['-r', address]),
    ...(clientId === undefined ? [] : ['-x', `0x3d:${clientId.replaceAll(':', '')}`]),
    ...(hostname === undefined ? [] : ['-x', `hostname:${hostname}`]),
  ],
  env: metric === undefined ? {} : { IF_METRIC: String(metric) },
  confined: false,
})
