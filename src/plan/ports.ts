import type { PortWish } from '../names.ts'
import type { Link, PortFlags, PortTraits, PortVlan } from '../state.ts'
import type { Step } from '../step.ts'

/** What a port that joins the bridge starts with (new_nbp()). */
export const newPort = ({ defaultVlan }: Pick<Link, 'defaultVlan'>): PortTraits => ({
  isolated: false,
  hairpin: false,
  learning: true,
  flood: true,
  macs: [],
  vlans:
    defaultVlan === undefined || defaultVlan === 0 ? [] : [{ vid: defaultVlan, pvid: true, untagged: true }],
})

export const asksForVlans = ({ pvid, trunk }: PortWish): boolean => pvid !== undefined || trunk.length > 0

/** What it should be; in the VLANs of a port that joins where none are asked for. */
export const wantedPort = (wish: PortWish, bridge: Pick<Link, 'defaultVlan'>): PortTraits => ({
  isolated: wish.isolated,
  hairpin: wish.hairpin,
  learning: wish.mac === undefined,
  flood: wish.mac === undefined,
  macs: wish.mac === undefined ? [] : [wish.mac],
  vlans: asksForVlans(wish) ? wantedVlans(wish) : newPort(bridge).vlans,
})

const wantedVlans = ({ pvid, trunk }: PortWish): readonly PortVlan[] => [
  ...(pvid === undefined ? [] : [{ vid: pvid, pvid: true, untagged: true }]),
  ...trunk.filter((vid) => vid !== pvid).map((vid) => ({ vid, pvid: false, untagged: false })),
]

const flags = ['isolated', 'hairpin', 'learning', 'flood'] as const

/** Those that differ, as they should be. */
export function differingFlags(is: PortTraits, wanted: PortTraits): PortFlags {
  return Object.fromEntries(flags.filter((key) => is[key] !== wanted[key]).map((key) => [key, wanted[key]]))
}

export function flagSteps(dev: string, is: PortTraits, wanted: PortTraits): readonly Step[] {
  const differing = differingFlags(is, wanted)
  return Object.keys(differing).length === 0 ? [] : [{ op: 'port.set', dev, flags: differing }]
}

/** VLANs first: a MAC address is told for each that the port is in. */
export function entrySteps(dev: string, { macs, vlans }: PortTraits, wanted: PortTraits): readonly Step[] {
  const text = (vlan: PortVlan): string => JSON.stringify(vlan)
  const present = new Set(vlans.map(text))
  const vids = new Set(wanted.vlans.map(({ vid }) => vid))
  const gone = vlans.filter(({ vid }) => !vids.has(vid))
  const come = wanted.vlans.filter((vlan) => !present.has(text(vlan)))
  return [
    ...gone.map((vlan): Step => ({ op: 'vlan.del', dev, vlan })),
    ...come.map((vlan): Step => ({ op: 'vlan.add', dev, vlan })),
    ...macs.filter((mac) => !wanted.macs.includes(mac)).map((mac): Step => ({ op: 'fdb.del', dev, mac })),
    ...wanted.macs
      .filter((mac) => come.length > 0 || !macs.includes(mac))
      .map((mac): Step => ({ op: 'fdb.replace', dev, mac })),
  ]
}

/** A port that joins the bridge again, as it was. */
export function rejoinSteps({ name, port }: Link, bridge: Link): readonly Step[] {
  const start = newPort(bridge)
  const join: Step = { op: 'link.master', dev: name, master: bridge.name }
  return port === undefined
    ? [join]
    : [join, ...flagSteps(name, start, port), ...entrySteps(name, start, port)]
}
