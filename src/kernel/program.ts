import { accessSync, constants } from 'node:fs'

/** What every program that is started here has: nothing of the caller's environment goes through. */
export const programEnvironment = { LC_ALL: 'C', PATH: '/usr/sbin:/sbin:/usr/bin:/bin' }

export const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
