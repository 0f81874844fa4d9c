import * as v from 'valibot'
import { about, pathTo, textAs, wholeNumber } from './config-values.ts'
import { parseEndpoint, parseGateway, parseHostName, parseMac } from './names.ts'
import type { IpAddress, KnownGuest } from './names.ts'

/** `[[bridge.forward]]` */
export const forward = v.strictObject({
  port: about(
    'the port of the host',
    wholeNumber('is not a port (allowed: a whole number from 1 to 65535)', 1, 65535),
  ),
  to: about(
    "the guest's address and port",
    textAs(parseEndpoint, 'such as "192.168.40.9:80" or "[fd40::9]:80"'),
  ),
  protocol: v.optional(
    about('"tcp" or "udp"', v.picklist(['tcp', 'udp'], 'is none (allowed: "tcp", "udp")')),
    'tcp',
  ),
})

/** `[[bridge.guest]]` */
export const guestTable = v.strictObject({
  mac: about('by which it is known', textAs(parseMac, 'such as "52:54:00:12:34:56"')),
  name: about(
    'by which the other guests find it',
    textAs(parseHostName, 'letters, digits and hyphens, up to 63'),
  ),
  address: v.optional(about('which it always gets', textAs(parseGateway, 'an IP address'))),
})
const guest = v.pipe(
  guestTable,
  v.transform((table): KnownGuest => ({ ...table, address: table.address })),
)

/** All those of a bridge: no two are one. */
export const guests = v.pipe(
  v.array(guest, 'is not a list of tables (write [[bridge.guest]])'),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return
    const list = dataset.value
    list.forEach((item, i) => {
      const earlier = list.slice(0, i)
      const isTaken = (key: 'mac' | 'name' | 'address'): boolean =>
        item[key] !== undefined && earlier.some((other) => textOf(other[key]) === textOf(item[key]))
      const key = (['mac', 'name', 'address'] as const).find(isTaken)
      if (key === undefined) return
      const path = pathTo(list, i, key)
      addIssue({
        message: `${JSON.stringify(textOf(item[key]))} is that of an earlier [[bridge.guest]] too`,
        path,
      })
    })
  }),
)
const textOf = (value: string | IpAddress | undefined): string | undefined =>
  typeof value === 'string' ? value : value?.text
