import type { Lab, LabOptions } from '../lab/lab.ts'
import type { Running } from '../lab/start.ts'
import { tool } from '../lab/tools.ts'
import { breakable } from './broken-calls.ts'
import { startBus, unpackedFile, unpackedProgram } from './managers.ts'
import { inMountsOf, overlay } from './mounts.ts'
import { inLab, until } from './tap.ts'

/** A host whose names systemd-resolved looks up, by servers that it was told of for one link. */

const config = '[Resolve]\nDNSSEC=no\nDNS=\nFallbackDNS=\nLLMNR=yes\nMulticastDNS=yes\n'
// The bus lets only users in whom its own accounts know: nobody's number.
const account = 'systemd-resolve:x:65534:65534::/:/bin/false'

async function installResolvectl(lab: Lab): Promise<void> {
  await lab.ok('host', ['mkdir', '-p', '/run/tools/bin'])
  await lab.ok('host', ['tee', '/run/tools/bin/resolvectl'], {
    input: breakable('resolvectl', `'${unpackedProgram('resolvectl')}'`),
  })
  await lab.ok('host', ['chmod', '+x', '/run/tools/bin/resolvectl'])
  await inMountsOf(lab, overlay('/run/tools/bin', '/usr/bin'))
}

/** The router knows all names below \`host.test\`. */
async function startNameServer(lab: Lab): Promise<Running> {
  const options = [
    ...[
      '--conf-file=/dev/null',
      '--no-resolv',
      '--no-hosts',
      '--user=root',
      '--pid-file=',
      '--log-facility=-',
    ],
    ...['--interface=e0', '--bind-interfaces', '--address=/host.test/192.0.2.7'],
  ]
  const server = await lab.start('router', [
    'sh',
    '-c',
    'exec "$@" 2>&1',
    'sh',
    tool('dnsmasq'),
    '-d',
    ...options,
  ])
  await server.waitFor(/started/)
  return server
}

async function startResolved(lab: Lab): Promise<Running> {
  // It becomes that user, whom a machine without it has not.
  const asItsUser = ['sh', '-c', 'mount --bind /run/passwd /etc/passwd && exec "$@" 2>&1', 'sh']
  const running = await lab.start('host', [...asItsUser, unpackedFile('lib/systemd/systemd-resolved')])
  await until('it answers', async () => (await lab.run('host', ['resolvectl', 'status'])).exit === 0)
  return running
}

export interface Resolving {
  readonly lab: Lab
  readonly resolved: Running
}

/** Each a line for resolvectl: `dns eth0 192.168.1.1`. */
export async function inResolvingLab(
  lines: readonly string[],
  work: (scene: Resolving) => Promise<void>,
  options: LabOptions = {},
): Promise<void> {
  await inLab(async (lab) => {
    await startBus(lab)
    const resolved = await resolvedOnBus(lab)
    for (const line of lines) await resolvectl(lab, line)
    await work({ lab, resolved })
  }, options)
}

/** systemd-resolved, told of no server, and one on the router; the bus is there. */
export async function resolvedOnBus(lab: Lab): Promise<Running> {
  await installResolvectl(lab)
  await startNameServer(lab)
  await lab.ok('host', ['mkdir', '-p', '/run/systemd/resolved.conf.d', '/run/systemd/resolve'])
  await lab.ok('host', ['tee', '/run/systemd/resolved.conf.d/lab.conf'], { input: config })
  await lab.ok('host', ['sh', '-c', `(cat /etc/passwd; echo '${account}') >/run/passwd`])
  await lab.ok('host', ['chown', '65534:65534', '/run/systemd/resolve'])
  return startResolved(lab)
}

export const resolvectl = (lab: Lab, line: string): Promise<string> =>
  lab.ok('host', ['resolvectl', ...line.split(' ')])

/** Whether a name is found that nobody has asked for before. */
export async function isFound(lab: Lab): Promise<boolean> {
  const name = `n${Math.random().toString(36).slice(2)}.host.test`
  return (await lab.run('host', ['resolvectl', 'query', name])).stdout.includes('192.0.2.7')
}

const settings = ['dns', 'domain', 'default-route', 'llmnr', 'mdns', 'dnssec', 'dnsovertls', 'nta']

/** All that it was told of a link, and what comes of it; where it was told nothing, `none`. */
export async function toldOf(lab: Lab, dev: string): Promise<string> {
  const saved = `sed /^NTAS/d /run/systemd/resolve/netif/$(cat /sys/class/net/${dev}/ifindex) 2>/dev/null || echo none`
  const shown = settings.map((key) => `resolvectl ${key} ${dev} | sed 's/^Link [0-9]* ([^)]*)/${key}/'`)
  return lab.ok('host', ['sh', '-c', [saved, ...shown].join('\n')])
}

/** What it looks up by that link. */
export const scopesOf = async (lab: Lab, dev: string): Promise<string> =>
  /Current Scopes: (.*)/.exec(await lab.ok('host', ['resolvectl', 'status', dev]))?.[1] ?? ''

// Looks one name after the other up until SIGTERM, as any program does (getaddrinfo() and resolv.conf); says which it did not find
// at once, and asks for those again.
const asking = `
use Socket;
use Time::HiRes 'time';
my ($asked, $found, $refused, $slowest, $goes) = (0, 0, 0, 0, 1);
sub look { Socket::getaddrinfo($_[0], '', { socktype => SOCK_STREAM }) }
$SIG{TERM} = sub { $goes = 0 };
$| = 1;
print "asking\\n";
while ($goes) {
  my $name = 'n' . $$ . 'x' . ++$asked . '.host.test';
  my $begin = time;
  my ($error, @all) = look($name);
  if (!@all) { $refused++; print "$name: $error\\n"; ($error, @all) = look($name) }
  my $took = 1000 * (time - $begin);
  if (@all) { $found++ } else { print "$name, again: $error\\n" }
  $slowest = $took if $took > $slowest;
  select(undef, undef, undef, 0.001);
}
printf "asked $asked found $found refused $refused slowest %.0f ms\\n", $slowest;
`

export interface Count {
  readonly asked: number
  /** At the first or the second time. */
  readonly found: number
  /** How many only at the second. */
  readonly refused: number
  /** What it said of all, and of each that was not found. */
  readonly said: string
}

/** Looks names up as long as the work goes on. */
export async function countLookups(lab: Lab, work: () => Promise<void>): Promise<Count> {
  await lab.ok('host', ['tee', '/run/resolv.conf'], { input: 'nameserver 127.0.0.53\n' })
  const byStub = ['sh', '-c', 'mount --bind /run/resolv.conf /etc/resolv.conf && exec "$@"', 'sh']
  const asker = await lab.start('host', [...byStub, tool('perl'), '-e', asking])
  await asker.waitFor(/asking/)
  await work()
  asker.kill('SIGTERM')
  const counts = await asker.waitFor(/asked (\d+) found (\d+) refused (\d+)/)
  const [asked = 0, found = 0, refused = 0] = counts.slice(1).map(Number)
  return { asked, found, refused, said: asker.stdout() }
}
