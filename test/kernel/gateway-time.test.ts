import { expect, test } from 'vitest'

import { muteRouter, startWith } from '../helpers/at-switch.ts'
import { inLab } from '../helpers/tap.ts'
import { reachable } from '../lab/reachable.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'

/** From the switch, as the kernel told it, until the command has put everything back and has looked. Runs alone. */

/** Seconds of the day in the stamps of `ip -ts monitor`, of the first line that has these words. */
function momentOf(text: string, words: RegExp): number {
  const line = text.split('\n').find((each) => words.test(each)) ?? ''
  const [, hours, minutes, seconds] = /T(\d+):(\d+):([\d.]+)\]/.exec(line) ?? []
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
}

test.each([
  [4, 1],
  [6, 1],
  [4, 5],
] as const)('IPv%i, --check-gateway %i: all is back within a second more', async (family, seconds) => {
  await inLab(async (lab) => {
    const before = await snapshot(lab)
    const monitor = await lab.start('host', ['ip', '-ts', '-o', 'monitor', 'link'])
    const raising = await startWith(lab, `brup --check-gateway ${seconds}`, { script: muteRouter[family] })
    expect((await raising.exited).exit).toBe(1)
    // One more event, so that what the monitor has to tell is there, and stamped when the command had ended.
    await lab.ip('host', 'link add end0 type bridge')
    await monitor.waitFor(/ end0:/)
    await lab.ip('host', 'link del end0')
    const events = monitor.stdout()
    const took = momentOf(events, / end0:/) - momentOf(events, / eth0\S*: .* master /)
    console.log(`IPv${family}, --check-gateway ${seconds}: back after ${took.toFixed(3)} s`)
    expect(took).toBeGreaterThan(seconds)
    expect(took).toBeLessThan(seconds + 1)
    expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
    await lab.ok('router', ['nft', 'flush ruleset'])
    expect(await reachable(lab)).toEqual([])
  })
})
