/** IPv4 addresses as numbers. */

export const numberOf = (address: string): number =>
  address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0)

/** The last address of its subnet, to which all listen. */
export function lastOf(address: string, prefixLength: number): string {
  const size = 2 ** (32 - prefixLength)
  const last = Math.floor(numberOf(address) / size) * size + size - 1
  return [24, 16, 8, 0].map((shift) => Math.floor(last / 2 ** shift) % 256).join('.')
}
