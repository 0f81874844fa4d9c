import type { Permanent } from '../../plan/permanent.ts'
import type { Exported } from './exported.ts'

/** A <network> by which guests of libvirt use the bridge, whoever made that (formatnetwork.html, "Using an existing host bridge"). */
export function libvirt({ bridge }: Permanent): Exported {
  const name = escaped(bridge)
  const text = [
    '<network>',
    `  <name>${name}</name>`,
    '  <forward mode="bridge"/>',
    `  <bridge name="${name}"/>`,
    '</network>',
    '',
  ].join('\n')
  return { files: [{ path: `${bridge}.xml`, mode: '0644', text }], notes: [] }
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

const escaped = (text: string): string => text.replaceAll(/[&<>"]/g, (char) => entities[char] ?? char)
