import { expect, test } from 'vitest'

import { parseSaved } from '../../../src/kernel/resolved.ts'

test('what systemd-resolved keeps of a link, in the words of resolvectl', () => {
  const text = [
    '# This is private data. Do not parse.',
    'LLMNR=no',
    'MDNS=resolve',
    'DNSSEC=allow-downgrade',
    'DNSOVERTLS=opportunistic',
    'DEFAULT_ROUTE=no',
    'SERVERS=192.0.2.1 [2001:db8::1]:5353 192.0.2.2#dns.example fe80::1%2 fe80::2%2#dns.example',
    'DOMAINS=~. corp.example ~lab.example',
    'NTAS=b.example a.example',
    'UNHEARD_OF=1',
    '',
  ].join('\n')
  expect(parseSaved(text)).toEqual({
    llmnr: ['no'],
    mdns: ['resolve'],
    dnssec: ['allow-downgrade'],
    dnsovertls: ['opportunistic'],
    'default-route': ['no'],
    dns: ['192.0.2.1', '[2001:db8::1]:5353', '192.0.2.2#dns.example', 'fe80::1', 'fe80::2#dns.example'],
    domain: ['~.', 'corp.example', '~lab.example'],
    nta: ['a.example', 'b.example'],
  })
})
