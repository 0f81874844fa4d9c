import { expect, test } from 'vitest'

import { endedLease, hasEnded, isLastEnded, withoutEnded } from '../../src/dhclient-leases.ts'

const lease = (dev: string, address: string, expire = 'never'): string =>
  `lease {\n  interface "${dev}";\n  fixed-address ${address};\n  option host-name "a } b";\n  renew 1 2026/01/01 00:00:00;\n  rebind 1 2026/01/01 00:00:00;\n  expire ${expire};\n}\n`
const lease6 = 'lease6 {\n  interface "eth0";\n  ia-na 00:00:00:01 {\n    starts 1;\n  }\n}\n'
const head = 'default-duid "\\000";\n'
const over = '6 2000/01/01 00:00:00'

test('the last lease of the link is ended, and found as such', () => {
  const file =
    head + lease('eth0', '192.0.2.1') + lease('eth0', '192.0.2.2') + lease6 + lease('eth1', '192.0.2.3')
  const ended = endedLease(file, 'eth0')
  expect(ended).toBe(lease('eth0', '192.0.2.2', over).replaceAll('1 2026/01/01 00:00:00', over))
  expect([hasEnded(file), hasEnded(file + ended)]).toEqual([false, true])
  expect(withoutEnded(file + ended)).toBe(file)
})

test('one that was got since it was ended is not over', () => {
  const ended = lease('eth0', '192.0.2.1') + lease('eth0', '192.0.2.1', over)
  const anew = ended + lease('eth0', '192.0.2.2')
  expect([ended, anew].map((file) => isLastEnded(file, 'eth0'))).toEqual([true, false])
  expect([ended, anew].map(hasEnded)).toEqual([true, true])
  expect(isLastEnded(ended, 'eth1')).toBe(false)
})

test('what is ended already is not ended twice, and of a link without a lease nothing is', () => {
  const file = lease('eth0', '192.0.2.1', over)
  expect(endedLease(file, 'eth0')).toBe('')
  expect(endedLease(lease('eth0', '192.0.2.1'), 'eth')).toBe('')
  expect(endedLease(lease6, 'eth0')).toBe('')
})
