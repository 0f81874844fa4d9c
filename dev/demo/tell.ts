/** What the demo says, and what came of it. */

const failures: string[] = []
const remarks: string[] = []
let held = 0

export const say = (text: string): void => void process.stdout.write(`${text}\n`)

/** Says what is claimed and whether it holds; the summary counts it. */
export function claim(holds: boolean, text: string): void {
  say(`  ${holds ? 'ok  ' : 'FAIL'}  ${text}`)
  if (holds) held += 1
  else failures.push(text)
}

/** Repeated in the summary: what this run could not show. */
export function remark(text: string): void {
  say(`  ${text}`)
  remarks.push(text)
}

/** Ends the story; returns the exit code. */
export function summary(): 0 | 1 {
  say('')
  for (const text of remarks) say(`Left out: ${text}`)
  if (failures.length === 0) say(`All ${held} claims held.`)
  else say(`${failures.length} of ${held + failures.length} claims did not hold:\n  ${failures.join('\n  ')}`)
  return failures.length === 0 ? 0 : 1
}
