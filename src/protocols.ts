/** Routing protocols by name: include/uapi/linux/rtnetlink.h and iproute2's built-in table. */
const numbers: Readonly<Record<string, number>> = {
  unspec: 0,
  redirect: 1,
  kernel: 2,
  boot: 3,
  static: 4,
  gated: 8,
  ra: 9,
  mrt: 10,
  zebra: 11,
  bird: 12,
  dnrouted: 13,
  xorp: 14,
  ntk: 15,
  dhcp: 16,
  keepalived: 18,
  babel: 42,
  openr: 99,
  bgp: 186,
  isis: 187,
  ospf: 188,
  rip: 189,
  eigrp: 192,
}

/** The number of a protocol that has a well-known name; any other word stays as it is. */
export const protocolNumber = (name: string): string => String(numbers[name] ?? name)

const scopes: Readonly<Record<string, number>> = { global: 0, site: 200, link: 253, host: 254, nowhere: 255 }

/** The number of a scope (enum rt_scope_t); any other word stays as it is. */
export const scopeNumber = (name: string): string => String(scopes[name] ?? name)
