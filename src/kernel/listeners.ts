import { readFileSync } from 'node:fs'

/** States of a socket that waits for anybody (include/net/tcp_states.h): TCP_LISTEN, and TCP_CLOSE, which is what an unconnected UDP socket has. */
const waiting = { tcp: '0A', udp: '07' } as const

/** 127.0.0.0/8, ::1, and the former mapped into IPv6, as /proc/net writes them: words of four bytes, each in the order of the host. */
const loopback = /^(?:.{6}7F|0{24}01000000|0{16}FFFF0000.{6}7F)$/

/** Whether somebody in this namespace waits for what comes to that port of the host from elsewhere. */
export function isListening(protocol: 'tcp' | 'udp', port: number): boolean {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  return [protocol, `${protocol}6`].some((name) =>
    linesOf(`/proc/self/net/${name}`).some((line) => {
      const [, local = '', , state] = line.trim().split(/\s+/)
      const [address = '', at] = local.split(':')
      return at === hex && state === waiting[protocol] && !loopback.test(address)
    }),
  )
}

function linesOf(path: string): readonly string[] {
  try {
    return readFileSync(path, 'latin1').split('\n')
  } catch {
    return []
  }
}
