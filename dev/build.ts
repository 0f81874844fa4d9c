import { chmodSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** Bundles hooks/*.ts and scripts/*.ts into dist/bin: one executable file each that needs nothing but node. */

const root = fileURLToPath(new URL('..', import.meta.url))
const entries = [
  'hooks/qemu-ifup.ts',
  'hooks/qemu-ifdown.ts',
  'scripts/brup.ts',
  'scripts/brdown.ts',
  'scripts/brstatus.ts',
]
const systemNodes = ['/usr/local/bin/node', '/usr/bin/node', '/opt/node/bin/node']

/** Whether only root can change what this path leads to. */
function belongsToRoot(path: string): boolean {
  const { uid, mode } = lstatSync(path)
  const closed = uid === 0 && (mode & 0o022) === 0
  return closed && (path === '/' || belongsToRoot(dirname(path)))
}

/** One line that sh runs and that JavaScript reads as an unused string and a comment. */
const shell = (command: string): string => `':' //; ${command}`
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
const start = (node: string): string => `[ ! -x ${quoted(node)} ] || exec ${quoted(node)} -- "$0" "$@"`

/**
 * `#!/usr/bin/env node` would look node up in the caller's PATH (or find none). This tries fixed places and starts
 * no other process: the node that built it, unless others than root could replace that one and root calls (who owns
 * `/`; root of a user namespace does not), then the system's own. `$0` keeps the name of a symlink.
 */
function header(buildNode: string): string {
  const places = systemNodes.filter((node) => node !== buildNode).map(start)
  if (belongsToRoot(buildNode)) places.unshift(start(buildNode))
  else places.push(`[ -O / ] || ${start(buildNode)}`)
  const missing = `echo "\${0##*/}: no node (20 or newer) in ${systemNodes.join(', ')}" >&2; exit 1`
  return ['#!/bin/sh', ...['unset NODE_OPTIONS NODE_PATH', ...places, missing].map(shell), ''].join('\n')
}

/**
 * Node takes a file without a suffix as CommonJS or as a module, whatever the nearest package.json says: this
 * wrapping is valid as both, since `import()` is.
 */
function runnable(bundle: string, builtins: readonly string[]): string {
  const names = JSON.stringify([...new Set(builtins)].sort())
  return `;(async () => {
'use strict';
const builtins = new Map(await Promise.all(${names}.map(async (name) => [name, (await import(name)).default])));
const require = (name) => builtins.get(name);
const module = { exports: {} };
const exports = module.exports;
${bundle}
})();
`
}

async function bundle(entry: string, version: string): Promise<string> {
  const result = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    legalComments: 'none',
    minifySyntax: true,
    define: { BUILT_VERSION: JSON.stringify(version) },
    logLevel: 'warning',
  })
  const [output] = Object.values(result.metafile.outputs)
  const builtins = (output?.imports ?? []).filter(({ external }) => external).map(({ path }) => path)
  return runnable(result.outputFiles[0]?.text ?? '', builtins)
}

const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string }
mkdirSync(`${root}dist/bin`, { recursive: true })
for (const entry of entries) {
  const file = `${root}dist/bin/${basename(entry, '.ts')}`
  const temporary = `${file}.${process.pid}`
  rmSync(temporary, { force: true })
  writeFileSync(temporary, header(process.execPath) + (await bundle(entry, version)))
  chmodSync(temporary, 0o755)
  renameSync(temporary, file)
}
