import { existsSync } from 'node:fs'

const folders = ['/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** The absolute path of a system tool; throws where it is not installed. */
export function tool(name: string): string {
  const folder = folders.find((each) => existsSync(`${each}/${name}`))
  if (folder === undefined) throw new Error(`lab: ${name} is not installed (run npm run setup)`)
  return `${folder}/${name}`
}
