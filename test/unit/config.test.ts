import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { bridgeForTap, loadConfig, parseConfig } from '../../src/config.ts'
import { CommandError } from '../../src/errors.ts'

const directory = mkdtempSync(join(tmpdir(), 'config-test-'))
afterAll(() => rmSync(directory, { recursive: true }))

function messageOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof CommandError && error.kind === 'config' && error.exit === 2) return error.message
    throw error
  }
  throw new Error('nothing was thrown')
}

const full = `
default_bridge = "lan0"

[[bridge]]
name = "lan0"
uplink = "eth0"
address = ["192.168.1.5/24", "FD00::5/64"]
gateway = ["192.168.1.1", "fd00::1"]
check_gateway = 0
check = ["/usr/bin/ping", "-c1", "192.168.1.9"]
check_seconds = 3600

[[bridge]]
name = "lab0"
uplink = false
nat = true
mtu = 9000
stp = true
isolated = true
firewall = "warn"
check = ["/bin/true"]

dhcp_range = "192.168.40.50,192.168.40.59"

[[bridge.guest]]
mac = "52:54:00:AB:CD:EF"
name = "One"
address = "192.168.40.9"

[[bridge.guest]]
mac = "52:54:00:00:00:02"
name = "two"

[[bridge.forward]]
port = 8080
to = "192.168.40.9:80"

[[bridge.forward]]
protocol = "udp"
port = 53
to = "[FD40::9]:53"

[[tap]]
match = "vm-*"
bridge = "lab0"

[[tap]]
match = "vm1"
isolated = false
hairpin = true
mac = "52:54:00:AB:CD:EF"
pvid = 10
trunk = [20, 30]
`

test('a full file', () => {
  const config = parseConfig(full, 'c')
  expect(config).toEqual({
    defaultBridge: 'lan0',
    bridges: [
      {
        name: 'lan0',
        uplink: 'eth0',
        addresses: [
          { family: 4, text: '192.168.1.5', prefixLength: 24 },
          { family: 6, text: 'fd00::5', prefixLength: 64 },
        ],
        gateways: [
          { family: 4, text: '192.168.1.1' },
          { family: 6, text: 'fd00::1' },
        ],
        checkGatewaySeconds: 0,
        mtu: undefined,
        stp: false,
        dhcp: false,
        isolated: false,
        firewall: undefined,
        nat: false,
        forwards: [],
        dhcpRange: undefined,
        guests: [],
        check: { words: ['/usr/bin/ping', '-c1', '192.168.1.9'], seconds: 3600 },
      },
      {
        name: 'lab0',
        uplink: false,
        nat: true,
        dhcpRange: {
          first: { family: 4, text: '192.168.40.50' },
          last: { family: 4, text: '192.168.40.59' },
        },
        guests: [
          { mac: '52:54:00:ab:cd:ef', name: 'one', address: { family: 4, text: '192.168.40.9' } },
          { mac: '52:54:00:00:00:02', name: 'two', address: undefined },
        ],
        forwards: [
          { protocol: 'tcp', port: 8080, to: { family: 4, text: '192.168.40.9', port: 80 } },
          { protocol: 'udp', port: 53, to: { family: 6, text: 'fd40::9', port: 53 } },
        ],
        addresses: [],
        gateways: [],
        checkGatewaySeconds: undefined,
        mtu: 9000,
        stp: true,
        dhcp: false,
        isolated: true,
        firewall: 'warn',
        check: { words: ['/bin/true'], seconds: 10 },
      },
    ],
    taps: [
      {
        match: 'vm-*',
        bridge: 'lab0',
        isolated: undefined,
        hairpin: false,
        mac: undefined,
        pvid: undefined,
        trunk: [],
      },
      {
        match: 'vm1',
        bridge: undefined,
        isolated: false,
        hairpin: true,
        mac: '52:54:00:ab:cd:ef',
        pvid: 10,
        trunk: [20, 30],
      },
    ],
  })
  expect(Object.isFrozen(config.bridges[0]?.addresses[0])).toBe(true)
})

test.each(['', '# nothing\n', '\uFEFF'.slice(1)])('an empty file %j means br0 and no rules', (text) => {
  expect(parseConfig(text, 'c')).toEqual({ defaultBridge: 'br0', bridges: [], taps: [] })
})

describe('each error names file, line, key and what is allowed', () => {
  test.each<[string, string]>([
    ['a = 1', 'c:1: unknown key a (allowed: default_bridge, bridge, tap)'],
    ['\ndefault_bridge = "a b"', 'c:2: default_bridge "a b" holds a blank, a slash or a colon (allowed: '],
    ['\n\ndefault_bridge = 5', 'c:3: default_bridge is not text (allowed: the name of an interface'],
    ['bridge = 5', 'c:1: bridge is not a list of tables (write [[bridge]])'],
    ['bridge = [5]', 'c:1: bridge[1] is not a table (allowed: name, uplink'],
    ['[bridge]\nname = "a"', 'c:1: bridge is not a list of tables (write [[bridge]])'],
    ['[[bridge]]\n', 'c:1: bridge[1].name is missing (allowed: name, uplink'],
    [
      '[[bridge]]\nname = "a"\n\n[[bridge]]\nname = "b"\nuplnk = "x"',
      'c:6: unknown key bridge[2].uplnk (allowed: name',
    ],
    [
      '[[bridge]]\nname = "a"\n[[bridge]]\nuplink = "x"\nname = "a"',
      'c:5: bridge[2].name "a" is the name of an earlier',
    ],
    [
      '[[bridge]]\nname="a"\naddress = "10.0.0.1/8"',
      'c:3: bridge[1].address is not a list (allowed: a list such as',
    ],
    [
      '[[bridge]]\nname="a"\naddress = [\n"10.0.0.1"]',
      'c:3: bridge[1].address[1] "10.0.0.1" has no prefix length',
    ],
    [
      '[[bridge]]\nname="a"\nuplink = true',
      'c:3: bridge[1].uplink is not the name of an interface (allowed: one',
    ],
    ['[[bridge]]\nname="a"\ngateway = ["x"]', 'c:3: bridge[1].gateway[1] "x" is not an IP address'],
    [
      '[[bridge]]\nname="a"\ngateway = ["10.0.0.1", "10.0.0.2"]',
      'c:3: bridge[1].gateway holds more than one',
    ],
    ['[[bridge]]\nname="a"\ncheck_gateway = 1.5', 'c:3: bridge[1].check_gateway is not a whole number'],
    ['[[bridge]]\nname="a"\ncheck_gateway = 3601', 'c:3: bridge[1].check_gateway is not a whole number'],
    ['[[bridge]]\nname="a"\ncheck_gateway = "5"', 'c:3: bridge[1].check_gateway is not a whole number'],
    ['[[bridge]]\nname="a"\ncheck = "/bin/true"', 'c:3: bridge[1].check is not a list (allowed: a command'],
    ['[[bridge]]\nname="a"\ncheck = []', 'c:3: bridge[1].check is empty (allowed: a command'],
    ['[[bridge]]\nname="a"\ncheck = ["ping"]', 'c:3: bridge[1].check does not begin with an absolute path'],
    [
      '[[bridge]]\nname="a"\ncheck = ["/bin/true", 5]',
      'c:3: bridge[1].check[2] is not text (allowed: a comm',
    ],
    ['[[bridge]]\nname="a"\ncheck = [\n"/bin/a\\u0000b"]', 'c:3: bridge[1].check[1] holds a NUL'],
    ['[[bridge]]\nname="a"\ncheck_seconds = 0', 'c:3: bridge[1].check_seconds is not a whole number of sec'],
    ['[[bridge]]\nname="a"\ncheck_seconds = 3601', 'c:3: bridge[1].check_seconds is not a whole number'],
    [
      '[[bridge]]\nname="a"\nnat = true\nuplink = "eth0"',
      'c:4: bridge[1].uplink is the name of an interface, which a bridge with NAT has not (allowed: false)',
    ],
    ['[[bridge]]\nname="a"\nfirewall = "no"', 'c:3: bridge[1].firewall is none (allowed: "open", "warn")'],
    ['[[bridge]]\nname="a"\nmtu = 67', 'c:3: bridge[1].mtu is not an MTU (allowed: a whole number of bytes'],
    [
      '[[bridge]]\nname="a"\nnat = true\ndhcp = true',
      'c:4: bridge[1].dhcp needs an uplink, behind which the server is (allowed: neither with nat nor with uplink = false)',
    ],
    [
      '[[bridge]]\nname="a"\naddress = ["192.168.1.5/24"]\ndhcp = true',
      'c:4: bridge[1].dhcp excludes an IPv4 address (allowed: IPv6 addresses)',
    ],
    [
      '[[bridge]]\nname="a"\nstp = true',
      'c:3: bridge[1].stp would silence the host until its port forwards (allowed: with uplink = false)',
    ],
    ['[[tap]]\nmatch="a"\npvid = 4095', 'c:3: tap[1].pvid is not a VLAN (allowed: a whole number from 1 to'],
    ['[[tap]]\nmatch="a"\ntrunk = 5', 'c:3: tap[1].trunk is not a list (allowed: a list such as [10, 20])'],
    ['[[tap]]\nmatch="a"\ntrunk = [0]', 'c:3: tap[1].trunk[1] is not a VLAN (allowed: a whole number from'],
    ['[[tap]]\nmatch="a"\nisolated = 1', 'c:3: tap[1].isolated is not true or false (allowed: true, false)'],
    [
      '[[tap]]\nmatch="a*"\nmac = "52:54:00:00:00:01"',
      'c:3: tap[1].mac is that of one guest, and match fits the taps of many (allowed: with a match without',
    ],
    ['[[bridge]]\nname="a"\nnat = 1', 'c:3: bridge[1].nat is not true or false (allowed: true, false)'],
    [
      '[[bridge]]\nname="a"\n[[bridge.forward]]\nport = 80\nto = "10.0.0.1:80"',
      'c:3: bridge[1].forward leads to no guest, since the bridge has no NAT (allowed: with nat = true)',
    ],
    [
      '[[bridge]]\nname="a"\n[[bridge]]\nname="b"\nnat=true\n[[bridge.forward]]\nport = 0\nto = "10.0.0.1:80"',
      'c:7: bridge[2].forward[1].port is not a port (allowed: a whole number from 1 to 65535)',
    ],
    [
      '[[bridge]]\nname="a"\nnat=true\n[[bridge.forward]]\nport = 1\nto = "10.0.0.1"',
      'c:6: bridge[1].forward[1].to "10.0.0.1" is not an address and a port (allowed: such as "192.168.40.9:80"',
    ],
    [
      '[[bridge]]\nname="a"\nnat=true\n[[bridge.forward]]\nport = 1\nto = "10.0.0.1:1"\nprot = "udp"',
      'c:7: unknown key bridge[1].forward[1].prot (allowed: port, to, protocol)',
    ],
    [
      '[[bridge]]\nname="a"\n[[bridge.guest]]\nmac = "01:00:00:00:00:00"\nname = "x"',
      'c:4: bridge[1].guest[1].mac "01:00:00:00:00:00" is that of a group (allowed: such as',
    ],
    [
      '[[bridge]]\nname="a"\n[[bridge.guest]]\nname = "x"',
      'c:3: bridge[1].guest[1].mac is missing (allowed: mac, name, address)',
    ],
    [
      '[[bridge]]\nname="a"\n[[bridge.guest]]\nmac = "52:54:00:00:00:02"\nname = "x.y"',
      'c:5: bridge[1].guest[1].name "x.y" is not the name of a host (allowed: letters',
    ],
    [
      '[[bridge]]\nname="a"\ndhcp_range = "x"',
      'c:3: bridge[1].dhcp_range "x" is not a pair of IPv4 addresses',
    ],
    ['[[tap]]\nmatch = ""\nbridge = "a"', 'c:2: tap[1].match is empty (allowed: a glob'],
    ['[[tap]]\nbridge = "a"', 'c:1: tap[1].match is missing (allowed: match, bridge, isolated, hairpin'],
    ['x = """\n[[bridge]]\n"""\n[[bridge]]\nname = "-"', 'c:5: bridge[1].name "-" holds'],
    ['[[tap]]\nmatch = """\n[[tap]]\n"""\nbridge = "a b"', 'c:5: tap[1].bridge "a b"'],
    ['[[bridge]] # [[bridge]]\nname = "a#b" # no', 'c:2: bridge[1].name "a#b"'],
    ['[[bridge]]\n"name" = "a b"', 'c:2: bridge[1].name "a b"'],
    ['__proto__ = 1', 'c:1: unknown key __proto__'],
  ])('%j', (text, message) => {
    expect(messageOf(() => parseConfig(text, 'c')).slice(0, message.length)).toBe(message)
  })

  test('a syntax error has line and column', () => {
    expect(messageOf(() => parseConfig('a = 1\nb = = 2\n', '/x/c.toml'))).toMatch(
      /^\/x\/c\.toml:2:\d+: not TOML: \S/u,
    )
    expect(messageOf(() => parseConfig('a = 1\na = 2\n', 'c'))).toMatch(/^c:2:\d+: not TOML: [^\n]+$/u)
  })
})

describe('which file', () => {
  const file = (name: string, content: string | Buffer) => {
    writeFileSync(join(directory, name), content)
    return join(directory, name)
  }

  test('--config wins over the environment', () => {
    const env = { QEMU_TAP_HOOKS_CONFIG: file('env', 'default_bridge = "env0"') }
    expect(loadConfig(file('arg', 'default_bridge = "arg0"'), env).defaultBridge).toBe('arg0')
    expect(loadConfig(undefined, env).defaultBridge).toBe('env0')
  })

  test('a named file that is absent, a directory or not text is an error', () => {
    const absent = join(directory, 'absent')
    expect(messageOf(() => loadConfig(absent, {}))).toBe(`configuration file ${absent} does not exist`)
    expect(messageOf(() => loadConfig(undefined, { QEMU_TAP_HOOKS_CONFIG: absent }))).toContain(
      'does not exist',
    )
    expect(messageOf(() => loadConfig(directory, {}))).toContain('EISDIR')
    expect(messageOf(() => loadConfig(file('bad', Buffer.from([0xff, 0xfe, 0])), {}))).toContain(
      'is not UTF-8',
    )
  })
})

describe('the bridge of a tap, first match wins', () => {
  const config = parseConfig(`${full}\n[[tap]]\nmatch = "*"\nbridge = "late0"`, 'c')
  const rule = { config: parseConfig(full, 'c'), env: {}, programName: 'qemu-ifup' }

  test.each([
    [
      'the environment',
      'vm-1',
      { config, env: { QEMU_TAP_BRIDGE: 'env0' }, programName: 'qemu-ifup.br10' },
      'env0',
    ],
    ['the name', 'vm-1', { config, env: { QEMU_TAP_BRIDGE: '' }, programName: 'qemu-ifup.br10' }, 'br10'],
    [
      'the name of the other hook, with a dot',
      'vm-1',
      { config, env: {}, programName: 'qemu-ifdown.br0.5' },
      'br0.5',
    ],
    ['the first rule', 'vm-1', { config, env: {}, programName: 'qemu-ifup' }, 'lab0'],
    ['a later rule', 'tap0', { config, env: {}, programName: 'qemu-ifup' }, 'late0'],
    ['default_bridge', 'tap0', rule, 'lan0'],
    ['br0', 'tap0', { ...rule, config: parseConfig('', 'c') }, 'br0'],
  ])('%s', (_, tap, caller, bridge) => {
    expect(bridgeForTap(tap, caller)).toBe(bridge)
  })

  test('a bad name is an error that says where it is from', () => {
    expect(messageOf(() => bridgeForTap('t', { ...rule, env: { QEMU_TAP_BRIDGE: 'a b' } }))).toContain(
      'QEMU_TAP_BRIDGE "a b"',
    )
    expect(messageOf(() => bridgeForTap('t', { ...rule, programName: 'qemu-ifup.a b' }))).toContain(
      '"qemu-ifup.a b"',
    )
  })
})
