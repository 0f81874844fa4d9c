import { setTimeout as delay } from 'node:timers/promises'

import { expect, test } from 'vitest'

import { openLab } from '../lab/lab.ts'
import { flow, tcpStream } from '../lab/traffic.ts'

// Whatever this machine does meanwhile: only the network may lose packets.
const burn = ['perl', '-e', 'my $end = time + 2; 1 while time < $end']

test.each([4, 6] as const)(
  'an IPv%i flow and stream lose nothing while a process burns the CPU',
  async (family) => {
    const lab = await openLab()
    const packets = await flow(lab, { family })
    const records = await tcpStream(lab, { family })
    await delay(500)
    const burning = await lab.start('host', burn)
    await delay(2500)
    const [flowed, streamed] = [await packets.stop(), await records.stop()]
    await burning.exited
    await lab.close()
    expect(flowed.sent).toBeGreaterThan(14_000)
    expect(flowed).toMatchObject({ lost: 0, lostThere: 0, lostBack: 0, longestGap: 0 })
    expect(streamed).toMatchObject({ survived: true, error: '' })
    expect(streamed.received).toBeGreaterThan(1000)
    expect(streamed.receivedBack).toBeGreaterThan(1000)
  },
)

test('a flow counts what the network loses, and in which direction', async () => {
  const lab = await openLab()
  const packets = await flow(lab)
  await delay(300)
  // Answers to the outside have no way for 100 ms; what comes from there still arrives.
  await lab.ok('host', ['sh', '-c', 'ip route del default; sleep 0.1; ip route add default via 192.168.1.1'])
  await delay(300)
  const { lost, lostThere, lostBack, longestGap } = await packets.stop()
  await lab.close()
  expect(lostThere).toBe(0)
  expect(lostBack).toBe(lost)
  expect(longestGap).toBeGreaterThan(90)
  expect(longestGap).toBeLessThan(300)
})

test('a stream whose network is gone did not survive', async () => {
  const lab = await openLab()
  const records = await tcpStream(lab)
  await delay(200)
  await lab.ip('host', 'link del eth0')
  const { survived, error } = await records.stop()
  await lab.close()
  expect(survived).toBe(false)
  expect(error).not.toBe('')
})
