import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'

import { must, output } from './apt.ts'

/** What a guest needs to find its network card; those that the kernel has built in are left out. */
const wanted = ['virtio_pci', 'virtio_net', 'af_packet']

/** Debian's, then Ubuntu's: packages that depend on the newest kernel. */
const families = ['linux-image-cloud-amd64', 'linux-image-virtual', 'linux-image-generic']

/** The packages that hold the kernel and its modules, such as `linux-image-6.1.0-56-cloud-amd64`; or none. */
function kernelPackages(): string[] {
  for (const family of families) {
    const depends = output('apt-cache', ['depends', family]) ?? ''
    const image = /Depends: (linux-image-\d\S+)/.exec(depends)?.[1]
    if (image === undefined) continue
    // Ubuntu keeps the modules in a package of their own.
    const modules = image.replace(/^linux-image-(unsigned-)?/, 'linux-modules-')
    const apart = output('apt-cache', ['show', modules]) ?? ''
    return apart === '' ? [image] : [image, modules]
  }
  return []
}

function findPackages(): string[] {
  const known = kernelPackages()
  if (known.length > 0) return known
  if (process.getuid?.() === 0) must('apt-get', ['update', '-q'])
  const now = kernelPackages()
  if (now.length === 0) throw new Error(`apt knows none of ${families.join(', ')} (run sudo apt-get update)`)
  return now
}

const walk = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))

function readModule(file: string): Buffer {
  if (file.endsWith('.ko')) return readFileSync(file)
  const unpacker = file.endsWith('.xz') ? 'xz' : 'zstd'
  const { status, stdout } = spawnSync(unpacker, ['-dc', file], { maxBuffer: 1 << 28 })
  if (status !== 0) throw new Error(`${unpacker} cannot unpack ${file}`)
  return stdout
}

/** From the module's own `.modinfo` section, as depmod does (its output, modules.dep, is not in the packages). */
const dependsOn = (module: Buffer): string[] =>
  (/\0depends=([^\0]*)\0/.exec(module.toString('latin1'))?.[1] ?? '').split(',').filter((name) => name !== '')

const moduleName = (file: string): string =>
  basename(file)
    .replace(/\.ko(\.\w+)?$/, '')
    .replaceAll('-', '_')

/** The wanted modules and what they need, each after what it depends on. */
function inLoadOrder(files: readonly string[]): Map<string, Buffer> {
  const found = new Map<string, Buffer>()
  const add = (name: string): void => {
    const file = files.find((each) => moduleName(each) === name)
    if (file === undefined || found.has(name)) return
    const module = readModule(file)
    dependsOn(module).forEach(add)
    found.set(name, module)
  }
  wanted.forEach(add)
  return found
}

/**
 * Puts a kernel into `folder`: `vmlinuz`, and `modules/` with the needed modules, unpacked, in load order
 * (`00-virtio_ring.ko`, …). The packages are downloaded and unpacked, not installed. Needs no root.
 */
export function fetchKernel(folder: string): void {
  const packages = findPackages()
  console.error(`set-up: the guests' kernel: ${packages.join(', ')} (unpacked into ${folder}, not installed)`)
  mkdirSync(folder, { recursive: true })
  const work = mkdtempSync(join(folder, 'unpack-'))
  try {
    must('apt-get', ['download', '-q', ...packages], work)
    const archives = readdirSync(work).filter((name) => name.endsWith('.deb'))
    for (const name of archives) must('dpkg-deb', ['-x', name, 'tree'], work)
    const files = walk(join(work, 'tree'))
    const image = files.find((file) => basename(file).startsWith('vmlinuz-'))
    if (image === undefined) throw new Error(`no kernel in ${packages.join(', ')}`)
    const modules = join(folder, 'modules')
    rmSync(modules, { recursive: true, force: true })
    mkdirSync(modules)
    ;[...inLoadOrder(files.filter((file) => /\.ko(\.\w+)?$/.test(file)))].forEach(([name, module], index) => {
      writeFileSync(join(modules, `${String(index).padStart(2, '0')}-${name}.ko`), module)
    })
    // Last: its presence says that the modules are complete.
    copyFileSync(image, join(folder, 'vmlinuz'))
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}
