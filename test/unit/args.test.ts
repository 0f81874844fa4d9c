import { describe, expect, test } from 'vitest'
import { parseArgs } from '../../src/args.ts'
import type { BrupArgs } from '../../src/args.ts'
import { helpText } from '../../src/help.ts'
import { commandSpecs } from '../../src/options.ts'
import type { CommandName } from '../../src/options.ts'

const words = (line: string) => line.split(' ').filter((word) => word !== '')
const brup = (line: string): BrupArgs => {
  const parsed = parseArgs('brup', words(line))
  if (parsed.kind !== 'run') throw new Error(parsed.kind)
  return parsed.args
}

const bare = {
  bridge: undefined,
  uplink: undefined,
  hasNoUplink: false,
  addresses: [],
  gateways: [],
  checkGatewaySeconds: undefined,
  dryRun: false,
  json: false,
  quiet: false,
  verbose: false,
  config: undefined,
  trySeconds: undefined,
  accept: false,
  exportKind: undefined,
}
const v4 = { family: 4, text: '10.0.0.5', prefixLength: 24 }
const v6 = { family: 6, text: 'fd00::5', prefixLength: 64 }

describe('brup', () => {
  test.each<[string, object]>([
    ['', {}],
    ['br1', { bridge: 'br1' }],
    ['-- br1', { bridge: 'br1' }],
    ['0x10', { bridge: '0x10' }],
    ['--uplink eth1 br1', { uplink: 'eth1', bridge: 'br1' }],
    ['br1 --uplink=eth1', { uplink: 'eth1', bridge: 'br1' }],
    ['br10 --no-uplink', { bridge: 'br10', hasNoUplink: true }],
    ['--address 10.0.0.5/24 --address FD00::5/64', { addresses: [v4, v6] }],
    ['--gateway fd00::1', { gateways: [{ family: 6, text: 'fd00::1' }] }],
    ['--gateway 10.0.0.1 --gateway fd00::1', { gateways: [{ text: '10.0.0.1' }, { text: 'fd00::1' }] }],
    ['--check-gateway 0', { checkGatewaySeconds: 0 }],
    ['--check-gateway=3600', { checkGatewaySeconds: 3600 }],
    ['--try 5', { trySeconds: 5 }],
    ['br1 --accept --quiet', { bridge: 'br1', accept: true, quiet: true }],
    ['--dry-run --json', { dryRun: true, json: true }],
    ['--export networkd', { exportKind: 'networkd' }],
    ['--export=netplan --all --json', { exportKind: 'netplan', all: true, json: true }],
    ['br1 --no-uplink --export libvirt', { exportKind: 'libvirt', bridge: 'br1', hasNoUplink: true }],
    ['--json true', { json: true, bridge: 'true' }],
    ['--json false', { json: true, bridge: 'false' }],
    ['--quiet', { quiet: true }],
    ['--verbose --config /x=y', { verbose: true, config: '/x=y' }],
    ['--config 5', { config: '5' }],
  ])('takes %j', (line, expected) => {
    expect(brup(line)).toMatchObject({ ...bare, ...expected })
  })

  test.each([
    ['--no-uplink --uplink eth0', '--no-uplink and --uplink exclude each other'],
    ['--export networkd --try 5', '--export and --try exclude each other'],
    ['--export networkd --dry-run', '--export and --dry-run exclude each other'],
    ['--export networkd --check-gateway 1', '--export and --check-gateway exclude each other'],
    ['--export networkd --strict-firewall', '--export and --strict-firewall exclude each other'],
    ['--export networkd --accept', '--accept and --export exclude each other'],
    ['--export wicked', '--export "wicked" is not known'],
    ['--export toString', '--export "toString" is not known'],
    ['--export=', '--export needs a value'],
    ['--gateway 10.0.0.1 --no-uplink', '--no-uplink and --gateway exclude each other'],
    ['--no-uplink --check-gateway 0', '--no-uplink and --check-gateway exclude each other'],
    ['--no-uplink --accept', '--accept and --no-uplink exclude each other'],
    ['--no-uplink=1', '--no-uplink takes no value'],
    ['--no-quiet', 'unknown option --no-quiet'],
    ['--no-json', 'unknown option --no-json'],
    ['--nat --uplink eth0', '--nat and --uplink exclude each other'],
    ['--nat --gateway 10.0.0.1', '--nat and --gateway exclude each other'],
    ['--dhpc', 'unknown option --dhpc'],
    ['--all br1', '--all and br1 exclude each other'],
    ['--all --try 5', '--all and --try exclude each other'],
    ['--dhcp-range a,b', '--dhcp-range "a,b" is not a pair of IPv4 addresses'],
    ['--dhcp-range 10.0.0.9,10.0.0.5', '--dhcp-range "10.0.0.9,10.0.0.5" ends before it begins'],
    ['--accept --dhcp-range 10.0.0.5,10.0.0.9', '--accept and --dhcp-range exclude each other'],
    ['--try 0', '--try "0" is not a whole number of seconds from 1 to 3600'],
    ['--try 3601', '--try "3601" is not a whole number of seconds from 1 to 3600'],
    ['--try', '--try needs a value'],
    ['--accept --try 5', '--accept and --try exclude each other'],
    ['--accept --dry-run', '--accept and --dry-run exclude each other'],
    ['--address 10.0.0.5/24 --accept', '--accept and --address exclude each other'],
    ['--watch', 'unknown option --watch'],
    ['--force', 'unknown option --force'],
    ['--upl eth0', 'unknown option --upl'],
    ['-h', 'unknown option -h'],
    ['-jq', 'unknown option -jq'],
    ['--__proto__=1', 'unknown option --__proto__'],
    ['--uplink.x=1', 'unknown option --uplink.x'],
    ['br0 br1', 'surplus argument "br1"'],
    ['br0 -- br1', 'surplus argument "br1"'],
    ['-- --uplink', 'bridge "--uplink"'],
    ['-', 'bridge "-"'],
    ['--uplink', '--uplink needs a value'],
    ['--uplink=', '--uplink needs a value'],
    ['--uplink --json', '--uplink needs a value'],
    ['--uplink --', '--uplink needs a value'],
    ['--address 10.0.0.5/24 --address', '--address needs a value'],
    ['--config=', '--config needs a value'],
    ['--uplink eth0 --uplink eth1', '--uplink is given more than once'],
    ['--json --json', '--json is given more than once'],
    ['--json=false', '--json takes no value'],
    ['--json=', '--json takes no value'],
    ['--quiet --verbose', 'exclude each other'],
    ['--uplink eth0:1', '--uplink "eth0:1"'],
    ['a/b', 'bridge "a/b"'],
    ['--address 10.0.0.5', '--address "10.0.0.5" has no prefix length'],
    ['--address 10.0.0.5/24 --address 10.0.0.5/25', '10.0.0.5 is given more than once'],
    ['--gateway 10.0.0.1/24', '--gateway "10.0.0.1/24"'],
    ['--gateway 10.0.0.1 --gateway 10.0.0.2', '10.0.0.2 is a second one for IPv4'],
    ['--check-gateway -1', 'unknown option -1'],
    ['--check-gateway=-1', 'from 0 to 3600'],
    ['--check-gateway 3601', 'from 0 to 3600'],
    ['--check-gateway 1.5', 'from 0 to 3600'],
    ['--check-gateway 5s', 'from 0 to 3600'],
    ['--check-gateway 0x10', 'from 0 to 3600'],
    ['--check-gateway 1e3', 'from 0 to 3600'],
  ])('refuses %j: %s', (line, why) => {
    expect(() => brup(line)).toThrow(why)
    expect(() => brup(line)).toThrow(expect.objectContaining({ exit: 2 }))
  })

  test('an empty bridge is refused', () => {
    expect(() => parseArgs('brup', [''])).toThrow('bridge "" is empty')
  })
})

test.each<[CommandName, string, object]>([
  [
    'brdown',
    '--force --dry-run --json --verbose --config c br1',
    { force: true, bridge: 'br1', config: 'c' },
  ],
  ['brdown', '', { force: false, bridge: undefined, quiet: false }],
  ['brstatus', '--json br1', { json: true, bridge: 'br1' }],
  ['qemu-ifup', 'tap0', { tap: 'tap0' }],
  ['qemu-ifdown', 'tap0', { tap: 'tap0' }],
])('%s takes %j', (name, line, args) => {
  expect(parseArgs(name, words(line))).toMatchObject({ kind: 'run', args })
})

test.each<[CommandName, string, string]>([
  ['brdown', '--uplink eth0', 'unknown option --uplink'],
  ['brstatus', '--quiet', 'unknown option --quiet'],
  ['qemu-ifup', '', 'TAP is missing'],
  ['qemu-ifup', 'tap0 tap1', 'surplus argument "tap1"'],
  ['qemu-ifup', '--json tap0', 'unknown option --json'],
  ['qemu-ifdown', 'a:b', 'tap "a:b"'],
])('%s refuses %j: %s', (name, line, why) => {
  expect(() => parseArgs(name, words(line))).toThrow(why)
})

describe.each(Object.keys(commandSpecs) as CommandName[])('%s', (name) => {
  test('--help and --version win over what is missing, not over what is unknown', () => {
    expect(parseArgs(name, ['--help'])).toEqual({ kind: 'help' })
    expect(parseArgs(name, ['--version'])).toEqual({ kind: 'version' })
    expect(() => parseArgs(name, ['--help', '--bogus'])).toThrow('unknown option --bogus')
  })

  test('the help names every option and every exit code', () => {
    const help = helpText(name)
    for (const option of commandSpecs[name].options) expect(help).toContain(`  --${option.name}`)
    for (const code of ['0', '1', '2', '3', '4', '5', '128+n'])
      expect(help).toContain(`\n  ${code.padEnd(5)}  `)
    expect(help).toMatch(new RegExp(`^usage: ${name} `, 'u'))
    expect(help.endsWith('\n')).toBe(true)
  })
})
