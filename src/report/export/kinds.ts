import type { Outcome } from '../../host.ts'
import type { ExportKind } from '../../options.ts'
import type { Permanent } from '../../plan/permanent.ts'
import type { Exported } from './exported.ts'
import { ifupdown } from './ifupdown.ts'
import { libvirt } from './libvirt.ts'
import { netplan } from './netplan.ts'
import { networkd } from './networkd.ts'
import { networkManager } from './network-manager.ts'

interface Kind {
  readonly render: (permanent: Permanent) => Exported
  /** How its name is written. */
  readonly title: string
  /** What makes it read what was written. */
  readonly use: (bridge: string) => string
}

const kinds: Readonly<Record<ExportKind, Kind>> = {
  networkd: { render: networkd, title: 'systemd-networkd', use: () => 'networkctl reload' },
  netplan: { render: netplan, title: 'netplan', use: () => 'netplan try' },
  networkmanager: { render: networkManager, title: 'NetworkManager', use: () => 'nmcli connection reload' },
  ifupdown: { render: ifupdown, title: 'ifupdown with bridge-utils', use: (bridge) => `ifup ${bridge}` },
  libvirt: {
    render: libvirt,
    title: 'libvirt',
    use: (bridge) => `virsh net-define ${bridge}.xml && virsh net-autostart ${bridge}`,
  },
}

/** The configuration as text, and what it does not carry. */
export function exportOf(kind: ExportKind, permanent: Permanent): Exported {
  const { files, notes } = kinds[kind].render(permanent)
  return { files, notes: [...permanentNotes(kind, permanent), ...notes] }
}

/** libvirt only uses a bridge that is there. */
const permanentNotes = (kind: ExportKind, { notes, bridge, uplink }: Permanent): readonly string[] =>
  kind === 'libvirt'
    ? [`mind: ${bridge} itself must be there: make it permanent with another kind of --export`]
    : [
        ...(uplink === undefined
          ? []
          : [
              `mind: what configures ${uplink.name} by now must go, and its name servers are to be copied from there`,
            ]),
        ...notes,
      ]

/** `--export`: nothing was done. */
export function exportOutcome(kind: ExportKind, permanent: Permanent): Outcome {
  const { bridge, uplink } = permanent
  const { files, notes } = exportOf(kind, permanent)
  const { title, use } = kinds[kind]
  const head = [
    `${bridge}${uplink === undefined ? '' : ` with ${uplink.name}`}, permanent: for ${title}; then ${use(bridge)}`,
    ...notes,
  ]
  return {
    text: kind === 'libvirt' ? xmlText(head, files) : commentedText(head, files),
    json: { uplink: uplink?.name ?? null, export: { kind, files, notes } },
  }
}

const commentedText = (head: readonly string[], files: Exported['files']): string =>
  [
    head.map((line) => `# ${line}\n`).join(''),
    ...files.map(({ path, mode, text }) => `# ${path}${mode === '0644' ? '' : ` (mode ${mode})`}\n${text}`),
  ].join('\n')

/** Two hyphens would end a comment. */
const xmlText = (head: readonly string[], files: Exported['files']): string =>
  [
    ...head.map((line) => `<!-- ${line.replaceAll('--', '- -')} -->\n`),
    ...files.map(({ text }) => text),
  ].join('')
