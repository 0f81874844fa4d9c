// Plain JavaScript without dependencies: what `npm test` and `npm run demo` start with on a fresh clone.
import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { fileURLToPath, URL } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const changedAt = (path) => statSync(root + path, { throwIfNoEntry: false })?.mtimeMs ?? 0

// npm writes node_modules/.package-lock.json last, so one that is there and newer means a finished install.
if (changedAt('node_modules/.package-lock.json') < changedAt('package-lock.json')) {
  const npm = process.env.npm_execpath
  const [file, ...first] = npm === undefined ? ['npm'] : [process.execPath, npm]
  console.error('set-up: npm ci (the packages of package-lock.json, into node_modules/)')
  const { status, error } = spawnSync(file, [...first, 'ci', '--no-audit', '--no-fund'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  })
  if (error !== undefined) console.error(`set-up: npm ci did not start: ${error.message}`)
  process.exitCode = status ?? 1
}
