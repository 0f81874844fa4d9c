export type CommandName = 'brup' | 'brdown' | 'brstatus' | 'qemu-ifup' | 'qemu-ifdown'

export interface OptionSpec {
  /** Without the two dashes. */
  readonly name: string
  /** What stands for the value in the help; a flag has none. */
  readonly value?: string
  readonly repeatable?: boolean
  readonly help: string
}

export interface CommandSpec {
  readonly name: CommandName
  readonly summary: string
  readonly positional: { readonly name: string; readonly required: boolean; readonly help: string }
  readonly options: readonly OptionSpec[]
}

const uplink: OptionSpec = {
  name: 'uplink',
  value: 'IF',
  help: 'the interface to put on the bridge (default: that of the default route)',
}
const noUplink: OptionSpec = {
  name: 'no-uplink',
  help: 'a network of its own: no interface is put on the bridge, and the host stays where it is',
}
const nat: OptionSpec = {
  name: 'nat',
  help: 'as --no-uplink, and its guests reach what the host reaches, by the addresses of the host',
}
const dhcpRange: OptionSpec = {
  name: 'dhcp-range',
  value: 'FIRST,LAST',
  help: 'give guests IPv4 addresses from FIRST to LAST, names, and IPv6 where the bridge has it; not with an uplink',
}
const dhcp: OptionSpec = {
  name: 'dhcp',
  help: 'ask for an IPv4 address on the bridge, also where the uplink has no DHCP client',
}
const address: OptionSpec = {
  name: 'address',
  value: 'CIDR',
  repeatable: true,
  help: 'an address for the bridge instead of what the uplink has; repeatable',
}
const gateway: OptionSpec = {
  name: 'gateway',
  value: 'IP',
  repeatable: true,
  help: 'the default gateway instead of what the uplink has; one per family',
}
const checkGateway: OptionSpec = {
  name: 'check-gateway',
  value: 'SECONDS',
  help: 'how long the gateway may take to answer before all is rolled back (default 5, 0: do not ask)',
}
const strictFirewall: OptionSpec = {
  name: 'strict-firewall',
  help: 'refuse where rules of the firewall name the uplink, and so would not match any more',
}
const tryFor: OptionSpec = {
  name: 'try',
  value: 'SECONDS',
  help: 'take it all back after SECONDS (1 to 3600) unless Enter or brup --accept keeps it',
}
const accept: OptionSpec = { name: 'accept', help: 'keep what a brup --try has on trial' }
const all: OptionSpec = { name: 'all', help: 'every bridge of the configuration, one after the other' }
const force: OptionSpec = {
  name: 'force',
  help: 'go on although guests are attached; their taps are detached',
}
/** What a bridge can be made permanent for. */
export const exportKinds = ['networkd', 'netplan', 'networkmanager', 'ifupdown', 'libvirt'] as const
export type ExportKind = (typeof exportKinds)[number]

const exportFor: OptionSpec = {
  name: 'export',
  value: 'KIND',
  help: `print what makes the bridge permanent, and change nothing; KIND is ${exportKinds.slice(0, -1).join(', ')} or ${exportKinds.at(-1) ?? ''}`,
}
const dryRun: OptionSpec = { name: 'dry-run', help: 'print the commands in order and change nothing' }
const json: OptionSpec = { name: 'json', help: 'print one JSON document to stdout, also on failure' }
const quiet: OptionSpec = { name: 'quiet', help: 'print errors only' }
const verbose: OptionSpec = { name: 'verbose', help: 'print each step to stderr' }
const config: OptionSpec = {
  name: 'config',
  value: 'FILE',
  help: 'read FILE instead of the configuration file',
}
const help: OptionSpec = { name: 'help', help: 'print this help' }
const version: OptionSpec = { name: 'version', help: 'print the version' }

const hookPositional = { name: 'TAP', required: true, help: 'the tap interface, as QEMU names it' }
const bridge = (text: string) => ({ name: 'BRIDGE', required: false, help: text })

/** The one place that knows which options there are: the parser and the help read it. */
export const commandSpecs: Readonly<Record<CommandName, CommandSpec>> = {
  brup: {
    name: 'brup',
    summary: 'create a bridge and move the host onto it without losing its connections',
    positional: bridge('the bridge to create (default: default_bridge of the configuration, br0)'),
    options: [
      ...[
        all,
        uplink,
        noUplink,
        nat,
        dhcpRange,
        dhcp,
        address,
        gateway,
        checkGateway,
        strictFirewall,
        tryFor,
        accept,
        exportFor,
      ],
      ...[dryRun, json, quiet, verbose, config, help, version],
    ],
  },
  brdown: {
    name: 'brdown',
    summary: 'move the host back to its uplink and remove what brup made',
    positional: bridge('the bridge to take down (default: default_bridge of the configuration, br0)'),
    options: [all, force, dryRun, json, quiet, verbose, config, help, version],
  },
  brstatus: {
    name: 'brstatus',
    summary: 'show a bridge, its ports, its addresses and what is pending',
    positional: bridge('the bridge to show (default: default_bridge of the configuration, br0)'),
    options: [json, config, help, version],
  },
  'qemu-ifup': {
    name: 'qemu-ifup',
    summary: "bring QEMU's tap up and attach it to its bridge (-netdev tap,script=...)",
    positional: hookPositional,
    options: [help, version],
  },
  'qemu-ifdown': {
    name: 'qemu-ifdown',
    summary: "detach QEMU's tap and bring it down (-netdev tap,downscript=...)",
    positional: hookPositional,
    options: [help, version],
  },
}
