import type { RandomState } from './random-state.ts'

type Fails = (state: RandomState) => Promise<boolean>

/** Leaves out what is not needed for the failure, runs of lines first; stops at the deadline with what it has. */
export async function minimise(state: RandomState, fails: Fails, deadline: number): Promise<RandomState> {
  let best = state
  for (let size = Math.ceil(best.commands.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < best.commands.length && Date.now() < deadline;) {
      const commands = [...best.commands.slice(0, at), ...best.commands.slice(at + size)]
      const smaller = { ...best, commands }
      if (await fails(smaller)) best = smaller
      else at += size
    }
  }
  for (const smaller of [
    { ...best, early: [] },
    { ...best, second: false },
  ])
    if (Date.now() < deadline && (await fails(smaller))) best = smaller
  return best
}
