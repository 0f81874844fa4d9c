import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  contains,
  isLinkName,
  linkName,
  networkOf,
  parseCidr,
  parseGateway,
  parseHostCidr,
  parseIp,
} from '../../src/names.ts'

const ip = (text: string) => {
  const parsed = parseIp(text)
  if (parsed === undefined) throw new Error(`${text} is no address`)
  return parsed
}

describe('link names', () => {
  test.each(['eth0', 'br0', 'enp0s31f6', 'eth0.100', 'a', '0', 'café', 'x'.repeat(15), 'vm_1-2', '@'])(
    'takes %j',
    (name) => {
      expect(isLinkName(name)).toBe(true)
      expect(linkName(name)).toBe(name)
    },
  )

  test.each([
    ['', 'is empty'],
    ['x'.repeat(16), 'longer than 15 bytes'],
    ['é'.repeat(8), 'longer than 15 bytes'],
    ['.', 'is no name'],
    ['..', 'is no name'],
    ['all', 'keeps for itself'],
    ['default', 'keeps for itself'],
    ['br%d', 'a pattern'],
    ['a/b', 'a slash'],
    ['eth0:1', 'a colon'],
    ['a b', 'a blank'],
    ['a\nb', 'a blank'],
    ['-h', 'syntax'],
    ['a#b', 'syntax'],
    ['a"b', 'syntax'],
    ["a'b", 'syntax'],
    ['a\\b', 'syntax'],
    ['a\u0001b', 'control character'],
  ])('refuses %j: %s', (name, why) => {
    expect(isLinkName(name)).toBe(false)
    expect(() => linkName(name, 'bridge')).toThrow(why)
    expect(() => linkName(name, 'bridge')).toThrow(`bridge ${JSON.stringify(name)}`)
  })

  test('what is taken is one word of at most 15 bytes for ip -batch', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 16 }), (name) => {
        fc.pre(isLinkName(name))
        expect(name).toMatch(/^[^\s/:"'#\\-][^\s/:"'#\\]*$/u)
        expect(Buffer.byteLength(name)).toBeLessThanOrEqual(15)
      }),
    )
  })
})

describe('addresses', () => {
  test.each([
    ['192.168.1.5', '192.168.1.5'],
    ['FD00::5', 'fd00::5'],
    ['2001:0db8:0000:0000:0000:0000:0000:0001', '2001:db8::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['::1', '::1'],
    ['::ffff:1.2.3.4', '::ffff:1.2.3.4'],
    ['::ffff:102:304', '::ffff:1.2.3.4'],
    ['::1.2.3.4', '::1.2.3.4'],
    ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
    ['1::', '1::'],
    ['fe80::', 'fe80::'],
  ])('%s is written %s, as ip prints it', (given, canonical) => {
    expect(parseIp(given)?.text).toBe(canonical)
  })

  test.each([
    '',
    '1.2.3',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.4 ',
    'fe80::1%eth0',
    ':::',
    '1::2::3',
    'g::',
    'host',
  ])('%j is none', (text) => expect(parseIp(text)).toBeUndefined())

  test('the canonical text is that of the WHATWG URL parser, dotted quads aside, and stays as it is', () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const canonical = ip(text).text
        expect(ip(canonical).text).toBe(canonical)
        expect(new URL(`http://[${canonical}]/`).hostname).toBe(new URL(`http://[${text}]/`).hostname)
        if (!canonical.includes('.')) expect(`[${canonical}]`).toBe(new URL(`http://[${text}]/`).hostname)
      }),
    )
  })
})

describe('CIDRs', () => {
  test.each([
    ['192.168.1.5/24', '192.168.1.5', 24, '192.168.1.0/24'],
    ['10.9.8.7/0', '10.9.8.7', 0, '0.0.0.0/0'],
    ['10.9.8.7/32', '10.9.8.7', 32, '10.9.8.7/32'],
    ['10.9.8.7/13', '10.9.8.7', 13, '10.8.0.0/13'],
    ['FD00::0:5/64', 'fd00::5', 64, 'fd00::/64'],
    ['fd00:1:2:3ff::5/57', 'fd00:1:2:3ff::5', 57, 'fd00:1:2:380::/57'],
    ['::1/128', '::1', 128, '::1/128'],
  ])('%s is %s with %d bits in %s', (given, text, prefixLength, network) => {
    const cidr = parseCidr(given)
    expect(cidr).toMatchObject({ text, prefixLength })
    expect(networkOf(cidr)).toBe(network)
  })

  test.each([
    ['192.168.1.5', 'has no prefix length'],
    ['192.168.1.5/', 'not between 0 and 32'],
    ['192.168.1.5/33', 'not between 0 and 32'],
    ['192.168.1.5/024', 'not between 0 and 32'],
    ['192.168.1.5/-1', 'not between 0 and 32'],
    ['192.168.1.5/24/24', 'not between 0 and 32'],
    ['192.168.1.5/255.255.255.0', 'not between 0 and 32'],
    ['fd00::5/129', 'not between 0 and 128'],
    ['eth0/24', 'is not an IP address'],
    ['', 'is not an IP address'],
    ['fe80::1%eth0/64', 'is not an IP address'],
  ])('refuses %j: %s', (given, why) => {
    expect(() => parseCidr(given, '--address')).toThrow(why)
    expect(() => parseCidr(given, '--address')).toThrow(`--address ${JSON.stringify(given)}`)
  })

  test.each([
    ['0.0.0.0/8', 'unspecified'],
    ['::/64', 'unspecified'],
    ['224.0.0.5/24', 'multicast'],
    ['ff02::1/64', 'multicast'],
    ['127.0.0.1/8', 'loopback'],
    ['::1/128', 'loopback'],
    ['255.255.255.255/32', 'broadcast'],
    ['192.168.1.0/24', 'whole subnet'],
    ['192.168.1.255/24', 'broadcast address of its subnet'],
    ['192.168.1.7/0', 'whole Internet'],
  ])('no interface has %s: %s', (given, why) => {
    expect(() => parseHostCidr(given)).toThrow(why)
  })

  test.each([
    '192.168.1.0/31',
    '192.168.1.1/31',
    '10.0.0.1/32',
    '240.0.0.1/8',
    'fd00::/64',
    'fe80::1/64',
    '192.168.1.0/16',
  ])('an interface can have %s', (given) =>
    expect(parseHostCidr(given).prefixLength).toBe(Number(given.split('/')[1])),
  )

  test('an address lies in its own subnet, and in another only with the same leading bits', () => {
    const bits = (text: string) =>
      text
        .split('.')
        .map((byte) => Number(byte).toString(2).padStart(8, '0'))
        .join('')
    fc.assert(
      fc.property(fc.ipV4(), fc.ipV4(), fc.nat(32), (a, b, length) => {
        const cidr = parseCidr(`${a}/${length}`)
        expect(contains(cidr, ip(a))).toBe(true)
        expect(contains(cidr, ip(b))).toBe(bits(a).slice(0, length) === bits(b).slice(0, length))
        expect(networkOf(parseCidr(networkOf(cidr)))).toBe(networkOf(cidr))
      }),
    )
  })

  test.each([
    ['fd00::5/64', 'fd00::ffff:1', true],
    ['fd00::5/64', 'fd00:0:0:1::1', false],
    ['0.0.0.0/0', '8.8.8.8', true],
    ['0.0.0.0/0', '::1', false],
    ['::/0', '8.8.8.8', false],
  ])('%s contains %s: %s', (cidr, address, expected) => {
    expect(contains(parseCidr(cidr), ip(address))).toBe(expected)
  })
})

test.each([
  ['192.168.1.1', 4],
  ['FE80::1', 6],
])('%s is a gateway', (text, family) =>
  expect(parseGateway(text)).toEqual({ family, text: text.toLowerCase() }),
)

test.each(['192.168.1.1/24', '0.0.0.0', '::', '224.0.0.1', 'ff02::2', '127.0.0.1', '::1', 'router', ''])(
  '%j is no gateway',
  (text) => expect(() => parseGateway(text)).toThrow(`gateway ${JSON.stringify(text)}`),
)
