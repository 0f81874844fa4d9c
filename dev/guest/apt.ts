import { spawnSync, type SpawnSyncReturns } from 'node:child_process'
import { existsSync } from 'node:fs'

export const hasApt = (): boolean => existsSync('/usr/bin/apt-get') && existsSync('/usr/bin/dpkg-deb')

const call = (
  file: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly show?: boolean },
): SpawnSyncReturns<string> =>
  spawnSync(file, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
    stdio: ['ignore', options.show === true ? 2 : 'pipe', options.show === true ? 2 : 'pipe'],
  })

/** Runs a program to its end; its output goes to our stderr. Throws when it fails. */
export function must(file: string, args: readonly string[], cwd?: string): void {
  const { status, error } = call(file, args, { ...(cwd === undefined ? {} : { cwd }), show: true })
  if (status !== 0) {
    throw new Error(
      `${file} ${args.join(' ')} failed (${error?.message ?? `exit ${status ?? 'by a signal'}`})`,
    )
  }
}

/** What a program prints; `undefined` when it fails. */
export function output(file: string, args: readonly string[]): string | undefined {
  const { status, stdout } = call(file, args, {})
  return status === 0 ? stdout : undefined
}
