import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

interface Entry {
  readonly path: string
  /** Type and permissions, as in stat(2). */
  readonly mode: number
  readonly data?: Buffer
  /** Major and minor number of a device node. */
  readonly device?: readonly [number, number]
}

const folder = (path: string): Entry => ({ path, mode: 0o040755 })
const file = (path: string, data: Buffer): Entry => ({ path, mode: 0o100755, data })

const padded = (buffer: Buffer): Buffer =>
  Buffer.concat([buffer, Buffer.alloc((4 - (buffer.length % 4)) % 4)])

/** One entry in the "newc" format (kernel: Documentation/driver-api/early-userspace/buffer-format.rst). */
function packEntry({ path, mode, data = Buffer.alloc(0), device = [0, 0] }: Entry, inode: number): Buffer {
  const name = Buffer.from(`${path}\0`)
  const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, ...device, name.length, 0]
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`
  return Buffer.concat([padded(Buffer.concat([Buffer.from(header), name])), padded(data)])
}

/** A cpio archive, which needs neither root (for the device node) nor the cpio program. */
const packArchive = (entries: readonly Entry[]): Buffer =>
  Buffer.concat(
    [...entries, { path: 'TRAILER!!!', mode: 0 }].map((entry, index) => packEntry(entry, index + 1)),
  )

/** Writes `initramfs.gz` into the guest folder, from its `modules/`, a static busybox and the init script. */
export function buildInitramfs(guest: string, busybox: string, init: string): void {
  const modules = readdirSync(join(guest, 'modules')).sort()
  const archive = packArchive([
    ...['bin', 'dev', 'modules'].map(folder),
    { path: 'dev/console', mode: 0o020600, device: [5, 1] },
    file('bin/busybox', readFileSync(busybox)),
    file('init', readFileSync(init)),
    ...modules.map((name) => file(`modules/${name}`, readFileSync(join(guest, 'modules', name)))),
  ])
  const target = join(guest, 'initramfs.gz')
  writeFileSync(`${target}.new`, gzipSync(archive))
  renameSync(`${target}.new`, target)
}
