import { constants } from 'node:os'

import { expect, test } from 'vitest'

import { bin, faultyIp, shot, type Fault, type Faulty, type SignalName } from '../helpers/faults.ts'
import { openLab, type Lab } from '../lab/lab.ts'
import { reachable } from '../lab/reachable.ts'
import { diffSnapshots } from '../lab/snapshot.ts'

type Name = 'brup' | 'brdown'

const names = ['brup', 'brdown'] as const
/** Once, twice, and different ones in a row: the first that counts decides. Nothing counts SIGPIPE. */
const sequences: readonly (readonly [SignalName, ...SignalName[]])[] = [
  ['INT', 'INT'],
  ['TERM', 'INT', 'QUIT'],
  ['HUP', 'PIPE', 'HUP', 'TERM'],
  ['QUIT', 'INT'],
  ['INT', 'HUP'],
]

/** A lab in the state that the command starts from. */
async function readyFor(command: Name): Promise<{ lab: Lab; faulty: Faulty; before: string }> {
  const lab = await openLab()
  if (command === 'brdown') await lab.ok('host', [bin('brup')])
  return { lab, faulty: await faultyIp(lab), before: await shot(lab) }
}

interface Wanted {
  readonly exit: number
  readonly stderr: RegExp
}

/** Runs the command with each fault, in one lab: each has to end as wanted, in the state before. */
async function takenBack(
  command: Name,
  faults: readonly (readonly [Fault, Wanted])[],
): Promise<{ readonly hits: readonly string[]; readonly problems: readonly string[] }> {
  const { lab, faulty, before } = await readyFor(command)
  const hits: string[] = []
  const problems: string[] = []
  try {
    for (const [fault, wanted] of faults) {
      const { exit, stderr } = await faulty.run([command], fault)
      if (faulty.hit() === '') {
        if (exit !== 0) problems.push(`without a fault: exit ${exit}: ${stderr}`)
        break
      }
      hits.push(faulty.hit())
      const left = [...diffSnapshots(before, await shot(lab)), ...(await reachable(lab))]
      const ended = exit === wanted.exit && wanted.stderr.test(stderr) ? [] : [`exit ${exit}: ${stderr}`]
      problems.push(
        ...[...ended, ...left].slice(0, 6).map((each) => `${fault.at} (${faulty.hit()}): ${each}`),
      )
      if (left.length > 0) break
    }
  } finally {
    await lab.close()
  }
  return { hits, problems }
}

/** More than any plan of these has lines; the first that is not reached ends the round. */
const positions = Array.from({ length: 60 }, (_, index) => index + 1)

/** No fewer lines than that: else the faults are not where they should be. */
const leastLines = { brup: 20, brdown: 10 } as const

test.each(names)(
  '%s takes everything back when ip refuses a line, whichever it is',
  async (command) => {
    const wanted = { exit: 1, stderr: /Operation not permitted; everything was put back/ }
    const { hits, problems } = await takenBack(
      command,
      positions.map((at) => [{ kind: 'refuse', at }, wanted] as const),
    )
    expect(problems).toEqual([])
    expect(hits.length).toBeGreaterThanOrEqual(leastLines[command])
    expect(hits.length).toBeLessThan(positions.length)
  },
  600_000,
)

test.each(names)(
  '%s takes everything back after signals at any line and at each of the rollback',
  async (command) => {
    const { hits, problems } = await takenBack(
      command,
      positions.map((at) => {
        const signals = sequences[at % sequences.length] ?? ['INT']
        const stderr = new RegExp(`ended by SIG${signals[0]}; everything was put back`)
        return [
          { kind: 'signals', at, signals },
          { exit: 128 + constants.signals[`SIG${signals[0]}`], stderr },
        ] as const
      }),
    )
    expect(problems).toEqual([])
    expect(hits.length).toBeGreaterThanOrEqual(leastLines[command])
    expect(hits.length).toBeLessThan(positions.length)
  },
  600_000,
)

test('SIGPIPE at every line is nothing to brup and brdown', async () => {
  const { lab, faulty, before } = await readyFor('brup')
  for (const command of names) {
    const result = await faulty.run([command, '--quiet'], { kind: 'signals', at: 1, signals: ['PIPE'] })
    expect(result).toEqual({ exit: 0, stdout: '', stderr: '' })
    expect(faulty.hit()).not.toBe('')
    expect((await shot(lab)) === before).toBe(command === 'brdown')
  }
  expect(await reachable(lab)).toEqual([])
  await lab.close()
})

/** Where a setting is written, counted in the lines for `ip` that come before it. */
async function settingsOf(command: Name): Promise<readonly Fault[]> {
  const { lab } = await readyFor(command)
  const script = await lab.ok('host', [bin(command), '--dry-run'])
  await lab.close()
  const lines = script
    .split('\n')
    .filter((line) => /^(ip|sysctl|link|neigh|addr|route) /.test(line) && !line.includes('-batch'))
  const ipLines = (until: number): number =>
    lines.slice(0, until).filter((line) => !line.startsWith('sysctl')).length
  return lines.flatMap((line, index): readonly Fault[] => {
    const path = /^sysctl -qw (\S+)=/.exec(line)?.[1]
    return path === undefined
      ? []
      : [{ kind: 'read-only', at: ipLines(index) + 1, path: `/proc/sys/${path}` }]
  })
}

test.each(names)(
  '%s takes everything back when a setting cannot be written, whichever',
  async (command) => {
    const faults = await settingsOf(command)
    const wanted = { exit: 1, stderr: /EROFS.*everything was put back/s }
    const { hits, problems } = await takenBack(
      command,
      faults.map((fault) => [fault, wanted] as const),
    )
    expect(problems).toEqual([])
    expect(hits).toEqual(faults.map((fault) => (fault.kind === 'read-only' ? fault.path : '')))
    expect(hits.length).toBeGreaterThan(3)
  },
  600_000,
)
