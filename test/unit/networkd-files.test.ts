import { expect, test } from 'vitest'

import { bridgeText, fitsGuests, unportable } from '../../src/networkd-files.ts'

const own = `# mine
[Match]
Name=eth0

[Link]
MTUBytes=9000
RequiredForOnline=no

[Network]
DHCP=ipv4
`

test('the bridge has the settings of the uplink, its client id, and what is on it stays', () => {
  expect(bridgeText({ text: own, iaid: 7 }, 'br0')).toBe(`# By brup, until brdown.
[Match]
Name=br0

[Link]
RequiredForOnline=no

[Network]
DHCP=ipv4

[Network]
KeepConfiguration=yes

[DHCPv4]
IAID=7

[DHCPv6]
IAID=7
`)
})

test('settings that a bridge cannot have', () => {
  expect(unportable(own)).toBe(undefined)
  expect(unportable(`${own}Bond=bond0\n`)).toBe('its .network file has Bond=')
  expect(unportable(`${own}[SR-IOV]\nVirtualFunction=0\n`)).toBe('its .network file has [SR-IOV]')
})

const mac = '02:00:00:00:01:50'
test.each([
  ['Name=eth0', false],
  ['Name=e*', false],
  ['Name=*', true],
  ['Name=br?', true],
  ['Name=!lo', true],
  ['Name=!lo tap* br* qth*', false],
  ['Type=ether', true],
  ['Type=ether\nKind=!*', false],
  ['Type=wlan', false],
  ['Kind=tun\nName=vt-*', false],
  ['PermanentMACAddress=02:00:00:00:01:50', false],
  ['MACAddress=02:00:00:00:01:50', true],
  ['MACAddress=02:00:00:00:01:51', false],
])('%j fits the bridge or its taps: %s', (match, fits) => {
  expect(fitsGuests(`[Match]\n${match}\n[Network]\nDHCP=yes\n`, { bridge: 'br0', mac })).toBe(fits)
})
