import { describe, expect, test } from 'vitest'

import { muteRouter, startWith } from '../helpers/at-switch.ts'
import { bin, inLab, journals, linkOf, run, until } from '../helpers/tap.ts'
import type { Lab } from '../lab/lab.ts'
import { reachable } from '../lab/reachable.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'

/** Where the output goes is no reason to stop half-way: nobody reads it, there is no room for it, it is not even open. */

const outputs: Readonly<Record<string, string>> = {
  'are closed': '>&- 2>&-',
  'and stdin are closed': '<&- >&- 2>&-',
  'have no room': '>/dev/full 2>/dev/full',
  'have no reader': '> >(exec true) 2>&1',
  'lose their reader on the way': '> >(exec head -n 3 >/dev/null) 2>&1',
}

/** What bash makes of these words around the command; its exit. */
const within = async (lab: Lab, line: string, redirect: string): Promise<number> => {
  const [name, ...args] = line.split(' ')
  const words = [bin(name as 'brup'), ...args]
  return (await lab.run('host', ['bash', '-c', `"$@" ${redirect}`, 'bash', ...words])).exit
}

describe.each(Object.entries(outputs))('stdout and stderr %s', (_, redirect) => {
  test('brup and brdown do their work', async () => {
    await inLab(async (lab) => {
      const before = await snapshot(lab)
      expect(await within(lab, 'brup --verbose --json', redirect)).toBe(0)
      expect((await linkOf(lab, 'eth0'))?.master).toBe('br0')
      expect(await within(lab, 'brdown --verbose --json', redirect)).toBe(0)
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
      expect([await reachable(lab), await journals(lab)]).toEqual([[], ''])
    })
  })

  test('brup takes back what fails', async () => {
    await inLab(async (lab) => {
      const before = await snapshot(lab)
      const script = muteRouter[4]
      const line = 'brup --verbose --json --check-gateway 1'
      const raising = await startWith(lab, line, { script, redirect })
      expect((await raising.exited).exit).toBe(1)
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
      expect(await journals(lab)).toBe('')
    })
  })
})

/** The journal for a bridge that was made anew. */
async function withIndexOfNow(lab: Lab, journal: string): Promise<string> {
  const [index = ''] = /^\d+/.exec(await lab.ok('host', ['ip', '-o', 'link', 'show', 'br0'])) ?? []
  return journal.replace(/"index":\d+(?=,"name":"br0")/, `"index":${index}`)
}

test.each(['brup', 'brdown'])(
  'a terminal that is closed at the switch of %s: all is taken back',
  async (command) => {
    await inLab(async (lab) => {
      if (command === 'brdown') await run(lab, 'brup')
      const [before, files] = [await snapshot(lab), await journals(lab)]
      // The first shell dies with the terminal, so that whoever runs there gets SIGHUP; the second one tells how it ended.
      const inner = `trap : HUP; ${bin(command as 'brup')} --verbose; echo $? >/run/status`
      const shell = `sh -c '${inner}'; :`
      const script = 'kill -9 $(cat /run/script.pid)'
      const first = 'echo $$ >/run/script.pid'
      const running = await startWith(lab, ['script', '-qec', shell, '/dev/null'], { script, first })
      expect((await running.exited).exit).toBe(137)
      await until('it has ended', async () => (await lab.run('host', ['ls', '/run/status'])).exit === 0)
      expect(await lab.ok('host', ['cat', '/run/status'])).toBe('129\n')
      expect(diffSnapshots(before, await snapshot(lab))).toEqual([])
      const expected = command === 'brdown' ? await withIndexOfNow(lab, files) : files
      expect([await journals(lab), await reachable(lab)]).toEqual([expected, []])
    })
  },
)
