import { describe, expect, test } from 'vitest'

import { blind } from '../helpers/blind.ts'
import { expectEnding } from '../helpers/refused.ts'
import { bin, inLab, ok, run } from '../helpers/tap.ts'
import { startVethGuest, type VethGuest } from '../helpers/veth-guest.ts'
import { startGuest } from '../lab/guest.ts'
import type { Lab } from '../lab/lab.ts'
import { reachable } from '../lab/reachable.ts'
import { diffSnapshots, snapshot } from '../lab/snapshot.ts'

/** The host's own firewall ends what it does not know: guests have a network all the same, and it is then as it was. */

const nat =
  'brup br20 --nat --address 192.168.20.1/24 --address fd20::1/64 --dhcp-range 192.168.20.50,192.168.20.59'

const lines = (lab: Lab, script: string): Promise<string> => lab.ok('host', ['sh', '-ec', script])

const drop = (suffix: string): string =>
  ['iptables', 'ip6tables'].map((tool) => `${tool}-${suffix} -P FORWARD DROP`).join('\n')

const docker = `${drop('nft')}
for t in iptables-nft ip6tables-nft; do
  $t -N DOCKER-USER
  $t -A DOCKER-USER -j RETURN
  $t -A FORWARD -j DOCKER-USER
done`

const native = `nft -f - <<'END'
table inet filter {
  chain input {
    type filter hook input priority filter; policy drop;
    iifname "lo" accept
    ct state established,related accept
    meta l4proto { icmp, ipv6-icmp } accept
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
  }
}
END`

/** As the tools of old list it, which nft does not see. */
const legacy = (lab: Lab): Promise<string> =>
  lines(lab, 'for t in ip ip6; do [ ! -s /proc/net/${t}_tables_names ] || ${t}tables-legacy -S; done')

const whole = async (lab: Lab): Promise<string> => `${await snapshot(lab)}\n${await legacy(lab)}`

const onLan = (lab: Lab): Promise<VethGuest> =>
  startVethGuest(lab, { name: 'g1', bridge: 'br0', addresses: ['192.168.1.77/24', 'fd01::77/64'] })
const onNat = (lab: Lab): Promise<VethGuest> =>
  startVethGuest(lab, { name: 'g1', bridge: 'br20', addresses: ['192.168.20.7/24', 'fd20::7/64'] })

const targets = ['203.0.113.9', 'fd99::9']
const reached = async (guest: VethGuest): Promise<readonly string[]> => {
  const found: string[] = []
  for (const target of targets) if (await guest.reaches(target)) found.push(target)
  return found
}

const firewalls: readonly [string, string][] = [
  ['a FORWARD chain of iptables that drops', drop('nft')],
  ['a FORWARD chain of the iptables of old that drops', drop('legacy')],
  ['Docker’s chains', docker],
  ['a forward chain of nftables that drops', native],
]

const broad = `nft -f - <<'END'
table inet filter {
  chain forward {
    type filter hook forward priority filter; policy accept;
    ct state established,related accept
    ct state new drop
  }
}
END`

const incompatible = `nft -f - <<'END'
table ip filter {
  chain FORWARD {
    type filter hook forward priority filter; policy drop;
    ct state vmap { established : accept, related : accept }
  }
}
END`

describe.each([
  ...firewalls,
  ['a chain that drops what is new', broad],
  ['a chain that only looks like one of iptables', incompatible],
])('behind %s', (_, script) => {
  test('guests on the LAN have a network, and then all is as it was', async () => {
    await inLab(async (lab) => {
      await lines(lab, script)
      const before = await whole(lab)
      await ok(lab, 'brup')
      const guest = await onLan(lab)
      expect(await reached(guest)).toEqual(targets)
      expect(await reachable(lab)).toEqual([])
      expect(await ok(lab, 'brstatus')).not.toContain('firewall')
      expect(await ok(lab, 'brup')).toBe('br0 is up already, with the uplink eth0\n')
      await guest.end()
      await ok(lab, 'brdown')
      expect(diffSnapshots(before, await whole(lab))).toEqual([])
    })
  })

  test('guests with NAT have one, too, and a server', async () => {
    await inLab(async (lab) => {
      await lines(lab, script)
      const before = await whole(lab)
      await ok(lab, nat)
      const guest = await onNat(lab)
      expect(await reached(guest)).toEqual(targets)
      const other = await startVethGuest(lab, {
        name: 'g2',
        bridge: 'br20',
        addresses: ['192.168.20.8/24', 'fd20::8/64'],
      })
      expect([await guest.reaches('192.168.20.8'), await guest.reaches('fd20::8')]).toEqual([true, true])
      expect((await guest.run('busybox nslookup -type=a localhost 192.168.20.1')).stdout).toContain(
        'NXDOMAIN',
      )
      await guest.end()
      await other.end()
      await ok(lab, 'brdown br20')
      expect(diffSnapshots(before, await whole(lab))).toEqual([])
    })
  })
})

describe('what is let through', () => {
  test('is said and not let through where the configuration only warns', async () => {
    await inLab(async (lab) => {
      await lines(lab, drop('nft'))
      const before = await whole(lab)
      const file = '/run/config.toml'
      await lab.ok('host', ['tee', file], { input: '[[bridge]]\nname = "br0"\nfirewall = "warn"\n' })
      const { exit, stderr } = await run(lab, `brup --config ${file}`)
      expect([exit, stderr.trimEnd().split('\n')]).toEqual([
        0,
        ['iptables', 'ip6tables'].map(
          (tool) =>
            expect.stringMatching(
              `^brup: the firewall ends what guests of br0 send: ${tool}-nft FORWARD lacks -i br0 -o br0 -m physdev`,
            ) as string,
        ),
      ])
      const guest = await onLan(lab)
      expect(await reached(guest)).toEqual([])
      expect(await ok(lab, `brstatus --config ${file}`)).not.toContain('firewall')
      await guest.end()
      await ok(lab, 'brdown')
      expect(diffSnapshots(before, await whole(lab))).toEqual([])
    })
  })

  test('is nothing where the firewall is open, or does not see bridged frames', async () => {
    await inLab(async (lab) => {
      await lines(lab, 'iptables-nft -A FORWARD -i docker0 -j DROP')
      const open = await lines(lab, 'nft list ruleset')
      await ok(lab, 'brup')
      expect(await lines(lab, 'nft list ruleset')).toBe(open)
      await ok(lab, 'brdown')
      await lines(lab, `${drop('nft')}; echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables`)
      await ok(lab, 'brup')
      const rules = await lines(lab, 'iptables-nft -S; ip6tables-nft -S')
      expect(rules.match(/qemu-tap-hooks br0 \w+ bridged \d/g)).toEqual([
        expect.stringMatching(/bridged 6$/) as string,
      ])
      await ok(lab, 'brdown')
    })
  })

  test('comes back when somebody rewrote the chains', async () => {
    await inLab(async (lab) => {
      await lines(lab, drop('nft'))
      await ok(lab, 'brup')
      const guest = await onLan(lab)
      await lines(lab, `iptables-nft -F FORWARD\n${docker}`)
      expect(await reached(guest)).toEqual(['fd99::9'])
      const drift = await ok(lab, 'brstatus')
      expect(drift).toContain('  drift: missing: firewall rule iptables-nft DOCKER-USER -i br0 -o br0')
      expect(drift).toContain('  drift: too much: firewall rule ip6tables-nft FORWARD')
      expect(await ok(lab, 'brup')).toBe('br0 is up again, with the uplink eth0\n')
      expect(await reached(guest)).toEqual(targets)
      await guest.end()
      await ok(lab, 'brdown')
      expect(await lines(lab, 'nft list ruleset')).not.toContain('qemu-tap-hooks')
    })
  })

  test('is nothing that somebody ended before', async () => {
    await inLab(async (lab) => {
      const rules = '-d 203.0.113.9/32 -j DROP'
      await lines(lab, `${drop('nft')}; iptables-nft -A FORWARD ${rules}; iptables-nft -A FORWARD -j REJECT`)
      await ok(lab, nat)
      await ok(lab, 'brup')
      for (const start of [onNat, onLan]) {
        const guest = await start(lab)
        expect(await reached(guest)).toEqual(['fd99::9'])
        await guest.end()
      }
      await ok(lab, 'brdown')
      await ok(lab, 'brdown br20')
      expect(await lines(lab, 'iptables-nft -S FORWARD')).toBe(
        `-P FORWARD DROP\n-A FORWARD ${rules}\n-A FORWARD -j REJECT --reject-with icmp-port-unreachable\n`,
      )
    })
  })

  test('is not what the rules of others are by now', async () => {
    await inLab(async (lab) => {
      await lines(lab, native)
      await ok(lab, 'brup')
      const other = native.replace(
        'policy drop;\n    ct',
        'policy drop; tcp dport 1 accept; tcp dport 2 accept; ct',
      )
      await lines(lab, `nft flush ruleset; ${other}`)
      const before = await lines(lab, 'nft list ruleset')
      await ok(lab, 'brdown')
      expect(await lines(lab, 'nft list ruleset')).toBe(before)
    })
  })

  test('is asked for by a bridge of which the kernel filters frames by itself', async () => {
    await inLab(async (lab) => {
      await lines(lab, drop('nft'))
      await lines(lab, 'for f in /proc/sys/net/bridge/bridge-nf-call-ip*; do echo 0 >$f; done')
      await lab.ip('host', 'link add br0 type bridge nf_call_iptables 1')
      await ok(lab, 'brup')
      const guest = await onLan(lab)
      expect(await reached(guest)).toEqual(targets)
      await guest.end()
      await ok(lab, 'brdown')
    })
  })

  test('stays for another bridge', async () => {
    await inLab(async (lab) => {
      await lines(lab, drop('nft'))
      await ok(lab, nat)
      await ok(lab, 'brup')
      await ok(lab, 'brdown')
      const guest = await onNat(lab)
      expect(await reached(guest)).toEqual(targets)
      await guest.end()
      await ok(lab, 'brdown br20')
    })
  })
})

test('a real guest on the LAN has a network, and the ruleset is then byte for byte what it was', async () => {
  await inLab(async (lab) => {
    await lines(lab, `${drop('nft')}\n${docker}\necho 1 >/proc/sys/net/bridge/bridge-nf-call-iptables`)
    const ruleset = (): Promise<string> =>
      lines(lab, 'nft -s -a list ruleset; iptables-nft -S; ip6tables-nft -S')
    const before = await ruleset()
    await ok(lab, 'brup')
    const guest = await startGuest(lab, {
      name: 'one',
      mac: '52:54:00:00:00:01',
      tap: 'tap0',
      ip: '192.168.1.77/24',
      gw: '192.168.1.1',
      ip6: 'fd01::77/64',
      gw6: 'fd01::1',
      hooks: { up: bin('qemu-ifup'), down: bin('qemu-ifdown') },
    })
    await guest.ready()
    for (const target of targets) expect((await guest.run(`ping -c1 -W3 ${target}`)).exit).toBe(0)
    await guest.quit()
    await ok(lab, 'brdown')
    expect(await ruleset()).toBe(before)
  })
})

describe('a firewall that cannot be read', () => {
  test('is a reason to refuse, and only said where the configuration only warns', async () => {
    await inLab(async (lab) => {
      await lines(lab, drop('nft'))
      const what = "the host's firewall cannot be read: iptables-nft: broken"
      const before = await whole(lab)
      const refused = await blind(lab, 'brup')
      expect([refused.exit, refused.stderr]).toEqual([
        3,
        expect.stringContaining(`brup: ${what} (with firewall = "warn" `),
      ])
      expect(diffSnapshots(before, await whole(lab))).toEqual([])
      const file = '/run/config.toml'
      await lab.ok('host', ['tee', file], { input: '[[bridge]]\nname = "br0"\nfirewall = "warn"\n' })
      const raised = await blind(lab, `brup --config ${file}`)
      expect([raised.exit, raised.stderr]).toEqual([0, `brup: ${what}\n`])
      expect((await blind(lab, 'brdown')).exit).toBe(0)
      expect(diffSnapshots(before, await whole(lab))).toEqual([])
    })
  })

  test('keeps our rules, and the bridge with them, unless they are to be left', async () => {
    await inLab(async (lab) => {
      await lines(lab, drop('nft'))
      await ok(lab, 'brup')
      const up = await whole(lab)
      const refused = await blind(lab, 'brdown')
      expect([refused.exit, refused.stderr]).toEqual([
        3,
        expect.stringContaining('cannot be taken away: iptables-nft: broken'),
      ])
      expect(diffSnapshots(up, await whole(lab))).toEqual([])
      const forced = await blind(lab, 'brdown --force')
      expect([forced.exit, forced.stderr]).toEqual([
        0,
        expect.stringContaining('stays there: iptables-nft: broken'),
      ])
      expect(await reachable(lab)).toEqual([])
    })
  })
})

test('a name that a firewall takes for a pattern is refused', async () => {
  await inLab(async (lab) => {
    await lines(lab, drop('nft'))
    await expectEnding(lab, 'brup br+', {
      says: "brup: the host's firewall takes br+ for a pattern (choose another name)",
    })
  })
})

describe('rules that name the uplink', () => {
  const named = `nft -f - <<'END'
table inet mine {
  set lan { type ifname; elements = { "eth0" } }
  chain input {
    type filter hook input priority filter; policy accept;
    iifname "eth0" tcp dport 23 drop
    iifname @lan tcp dport 24 drop
    iifname "eth1" tcp dport 25 drop
  }
}
END
iptables-legacy -A INPUT -i eth0 -p tcp --dport 26 -j DROP
iptables-legacy -t mangle -A PREROUTING -i eth0 -j ACCEPT`
  const quoted = [
    'inet mine input: iifname "eth0" tcp dport 23 drop',
    'inet mine input: iifname @lan tcp dport 24 drop',
    'iptables-legacy -t filter -A INPUT -i eth0 -p tcp -m tcp --dport 26 -j DROP',
    'iptables-legacy -t mangle -A PREROUTING -i eth0 -j ACCEPT',
  ]

  test('are quoted before the switch', async () => {
    await inLab(async (lab) => {
      await lines(lab, named)
      const { exit, stderr } = await run(lab, 'brup')
      const line = 'brup: once eth0 is a port, this rule does not match what comes by it: '
      expect([exit, stderr]).toEqual([0, quoted.map((rule) => `${line}${rule}\n`).join('')])
      await ok(lab, 'brdown')
    })
  })

  test('are a reason to refuse with --strict-firewall', async () => {
    await inLab(async (lab) => {
      await lines(lab, named)
      await expectEnding(lab, 'brup --strict-firewall', {
        says: `brup: the firewall has rules that name eth0, which would not match any more (name br0 in them, or give no --strict-firewall)\n${quoted.map((rule) => `  ${rule}`).join('\n')}`,
      })
      await lines(lab, 'nft delete table inet mine; iptables-legacy -F; iptables-legacy -t mangle -F')
      await ok(lab, 'brup --strict-firewall')
      await ok(lab, 'brdown')
    })
  })
})
