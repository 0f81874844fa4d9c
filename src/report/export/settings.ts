import type { Permanent } from '../../plan/permanent.ts'
import { sysctlPath } from '../../step.ts'
import type { ExportedFile } from './exported.ts'

/** sysctl.d(5): with systemd, udev writes what is about a link when that appears. */
export function settingsFile({ bridge, settings }: Permanent): readonly ExportedFile[] {
  if (settings.length === 0) return []
  const lines = settings.map((item) => `${sysctlPath(item)} = ${item.value}\n`)
  return [{ path: `/etc/sysctl.d/90-${bridge}.conf`, mode: '0644', text: lines.join('') }]
}
