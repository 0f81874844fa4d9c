// Takes the lock again and again, and says so when somebody else is in the critical section. For lock.test.ts.
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

import { isAlive, ownId, type ProcessId } from '../../src/kernel/process.ts'
import { withLock } from '../../src/transaction/lock.ts'

const [runDir = '', holdMs = '2', rounds = 'Infinity'] = process.argv.slice(2)
const inside = join(runDir, 'inside')
const log = (line: string): void => appendFileSync(join(runDir, 'log'), `${line}\n`)

/** Who is in there by the file that each leaves while it is: the living only. */
function occupant(): ProcessId | undefined {
  if (!existsSync(inside)) return undefined
  try {
    const id = JSON.parse(readFileSync(inside, 'utf8')) as ProcessId
    return isAlive(id) ? id : undefined
  } catch {
    return undefined
  }
}

async function section(): Promise<void> {
  const me = ownId()
  const other = occupant()
  if (other !== undefined) log(`both ${other.pid} ${me.pid}`)
  writeFileSync(inside, JSON.stringify(me))
  log('in')
  console.log('in')
  await delay((0.5 + Math.random() / 2) * Number(holdMs))
  const now = occupant()
  if (now?.pid !== me.pid) log(`lost ${me.pid} ${now?.pid ?? 'nobody'}`)
  rmSync(inside, { force: true })
}

for (let round = 0; round < Number(rounds); round += 1)
  await withLock({ runDir, signal: new AbortController().signal, onWait: () => undefined }, section)
