import { describe, expect, test } from 'vitest'

import type { PortWish } from '../../../src/names.ts'
import { rejoinSteps, wantedPort } from '../../../src/plan/ports.ts'
import { bridgeWords, ipWords, isBridgeStep, isIpStep } from '../../../src/step.ts'
import { link } from '../../helpers/state.ts'

const plain: PortWish = { isolated: false, hairpin: false, mac: undefined, pvid: undefined, trunk: [] }
const bridge = link('br0', { kind: 'bridge' })
const filtering = link('br0', { kind: 'bridge', defaultVlan: 1 })

/** A port that joins anew, as what a shell would run. */
const rejoined = (wish: PortWish, master = bridge): readonly string[] => {
  const port = wantedPort(wish, master)
  return rejoinSteps(link('tap0', { kind: 'tun', port }), master).map((step) => {
    if (isBridgeStep(step)) return `bridge ${bridgeWords(step).join(' ')}`
    return isIpStep(step) ? `ip ${ipWords(step, 0).join(' ')}` : step.op
  })
}

const join = 'ip link set dev tap0 master br0'

describe('a port that joins again', () => {
  test('like all others needs no more than that', () => {
    expect(rejoined(plain)).toEqual([join])
    expect(rejoined(plain, filtering)).toEqual([join])
  })

  test('is treated as it was', () => {
    const mac = '52:54:00:00:00:01'
    expect(rejoined({ ...plain, isolated: true, hairpin: true, mac })).toEqual([
      join,
      'ip link set dev tap0 type bridge_slave isolated on hairpin on learning off flood off',
      `bridge fdb replace ${mac} dev tap0 master static`,
    ])
  })

  test('is in the VLANs that it was in, and in no other', () => {
    expect(rejoined({ ...plain, pvid: 10, trunk: [10, 20] }, filtering)).toEqual([
      join,
      'bridge vlan del dev tap0 vid 1',
      'bridge vlan add dev tap0 vid 10 pvid untagged',
      'bridge vlan add dev tap0 vid 20',
    ])
    expect(rejoined({ ...plain, trunk: [1] }, filtering)).toEqual([join, 'bridge vlan add dev tap0 vid 1'])
  })
})
