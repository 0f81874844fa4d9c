import { describe, expect, test } from 'vitest'

import {
  closedBy,
  iptablesRulesNaming,
  leadsTo,
  parseIptables,
  parseRuleset,
  rulesNaming,
} from '../../../src/kernel/parse-firewall.ts'

// As nft 1.0.6 listed it with -s -a.
const listing = `table inet filter { # handle 1
	set lan { # handle 5
		type ifname
		elements = { "eth0",
			     "eth1" }
	}

	set pairs { # handle 6
		type ifname . inet_service
		elements = { "eth0" . 22 }
	}

	chain input { # handle 1
		comment "hello"
		type filter hook input priority filter; policy drop;
		iifname "lo" accept # handle 6
		ct state vmap { invalid : drop, established : accept, related : accept } # handle 8
		iifname "eth0" tcp dport 22 accept # handle 9
		iifname { "eth7", "eth0" } udp dport 1 counter accept comment "a # b" # handle 11
		iifname @lan tcp dport 1-100 accept # handle 12
		iifname vmap { "eth0" : jump x, "eth1" : jump x, "eth2" : accept } # handle 14
		iif "lo" oifname "eth*" accept # handle 15
		iifname . tcp dport { "eth0" . 23 } drop # handle 17
		iifname . tcp dport @pairs drop # handle 18
		iifname "eth9" accept comment "eth0" # handle 19
		iifname "eth01" accept # handle 22
		log prefix "x " counter drop # handle 16
	}

	chain x { # handle 2
		counter return # handle 17
	}

	chain forward { # handle 3
		type filter hook forward priority filter; policy accept;
		ct state established accept # handle 18
		counter jump y # handle 19
	}

	chain y { # handle 4
		log prefix "in: " level info # handle 20
		reject with icmpx admin-prohibited # handle 21
	}
}
table netdev early { # handle 2
	chain ingress { # handle 1
		type filter hook ingress device "eth0" priority filter; policy accept;
		iif "eth0" accept # handle 2
	}
}
`

const ruleset = parseRuleset(listing)
const closedOf = (name: string): boolean => {
  const chain = ruleset.chains.find((each) => each.name === name)
  if (chain === undefined) throw new Error(name)
  return closedBy(chain, ruleset.chains) !== undefined
}

test('a listing of nft', () => {
  expect(ruleset.chains.map(({ table, name, hook, policy }) => [table, name, hook, policy])).toEqual([
    ['inet filter', 'input', 'input', 'drop'],
    ['inet filter', 'x', undefined, undefined],
    ['inet filter', 'forward', 'forward', 'accept'],
    ['inet filter', 'y', undefined, undefined],
    ['netdev early', 'ingress', 'ingress', 'accept'],
  ])
  expect(ruleset.chains[0]?.rules[0]).toEqual({ text: 'iifname "lo" accept', handle: 6, always: undefined })
  expect(ruleset.chains[3]?.rules.map(({ always }) => always)).toEqual([undefined, { kind: 'drop' }])
})

test('a chain is closed by its policy, by a rule without a condition, and by one that it jumps to', () => {
  expect(['input', 'forward', 'x', 'ingress'].map(closedOf)).toEqual([true, true, false, false])
})

test.each([
  ['ct state new drop', true],
  ['ct state invalid drop', false],
  ['ct state { invalid, new } counter reject', true],
  ['ct state != established drop', true],
  ['iifname != "docker0" meta l4proto tcp drop', true],
  ['ip daddr 10.0.0.1 drop', false],
  ['iifname "eth0" drop', false],
])('a chain with %j is closed: %s', (rule, is) => {
  const chain = `table inet f {\n\tchain c { # handle 1\n\t\ttype filter hook forward priority filter; policy accept;\n\t\t${rule} # handle 2\n\t}\n}\n`
  const { chains } = parseRuleset(chain)
  expect(chains.map((each) => closedBy(each, chains)?.by?.handle)).toEqual([is ? 2 : undefined])
})

test('DOCKER-USER counts only where FORWARD leads there before it ends anything', () => {
  const leads = (lines: string): boolean => {
    const chains = parseIptables(`-P FORWARD DROP\n-N DOCKER-USER\n${lines}`)
    const [forward] = chains
    return forward !== undefined && leadsTo('DOCKER-USER', forward, chains)
  }
  expect(leads('-A FORWARD -j DOCKER-USER\n-A FORWARD -j DROP\n')).toBe(true)
  expect(leads('-A FORWARD -j DROP\n-A FORWARD -j DOCKER-USER\n')).toBe(false)
  expect(leads('-A FORWARD -i x -j DOCKER-USER\n')).toBe(false)
  expect(leads('')).toBe(false)
})

test('the rules that name a link, by itself, in a set, in a map, by a pattern', () => {
  expect(rulesNaming('eth0', ruleset)).toEqual([
    'inet filter input: iifname "eth0" tcp dport 22 accept',
    'inet filter input: iifname { "eth7", "eth0" } udp dport 1 counter accept comment "a # b"',
    'inet filter input: iifname @lan tcp dport 1-100 accept',
    'inet filter input: iifname vmap { "eth0" : jump x, "eth1" : jump x, "eth2" : accept }',
    'inet filter input: iif "lo" oifname "eth*" accept',
    'inet filter input: iifname . tcp dport { "eth0" . 23 } drop',
    'inet filter input: iifname . tcp dport @pairs drop',
  ])
  expect(rulesNaming('wan', ruleset)).toEqual([])
})

describe('a listing of iptables', () => {
  const closed = (lines: string): boolean => {
    const chains = parseIptables(lines)
    const forward = chains.find(({ hook }) => hook === 'forward')
    return forward !== undefined && closedBy(forward, chains) !== undefined
  }

  test.each([
    ['-P FORWARD DROP\n', true],
    ['-P FORWARD ACCEPT\n', false],
    ['-P FORWARD DROP\n-A FORWARD -j ACCEPT\n', false],
    ['-P FORWARD ACCEPT\n-A FORWARD -i docker0 -j DROP\n', false],
    ['-P FORWARD ACCEPT\n-A FORWARD -j REJECT --reject-with icmp-host-prohibited\n', true],
    ['-P FORWARD ACCEPT\n-N A\n-A FORWARD -m comment --comment "a b" -j A\n-A A -j DROP\n', true],
    ['-P FORWARD ACCEPT\n-N A\n-A FORWARD -j A\n-A FORWARD -j ACCEPT\n-A A -j RETURN\n-A A -j DROP\n', false],
    ['-P FORWARD DROP\n-N A\n-A FORWARD -g A\n-A FORWARD -j ACCEPT\n-A A -i x -j ACCEPT\n', true],
    ['-P FORWARD ACCEPT\n-N A\n-A FORWARD -j A\n-A A -j A\n', false],
    ['-P FORWARD ACCEPT\n-A FORWARD -m conntrack --ctstate INVALID,NEW -j DROP\n', true],
    ['-P FORWARD ACCEPT\n-A FORWARD -m conntrack --ctstate INVALID -j DROP\n', false],
    ['-P FORWARD ACCEPT\n-A FORWARD ! -i docker0 -p tcp -j DROP\n', true],
    ['-P FORWARD ACCEPT\n-A FORWARD ! -i docker0 -d 10.0.0.1/32 -j DROP\n', false],
  ])('%j', (lines, is) => {
    expect(closed(lines)).toBe(is)
  })

  test('names links, too', () => {
    const chains = parseIptables(
      '-P INPUT ACCEPT\n-A INPUT -i eth0 -j DROP\n-A INPUT ! -i eth+ -j DROP\n-A INPUT -i eth01 -j DROP\n-A INPUT -o eth1 -j DROP\n',
    )
    expect(iptablesRulesNaming('eth0', chains)).toEqual([
      '-A INPUT -i eth0 -j DROP',
      '-A INPUT ! -i eth+ -j DROP',
    ])
  })
})
