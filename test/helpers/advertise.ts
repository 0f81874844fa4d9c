import type { Lab } from '../lab/lab.ts'
import type { Running } from '../lab/start.ts'

const perl = `
use strict; use warnings; use Socket qw(:all);
my ($index, $prefix, $gate, $lifetime) = @ARGV;
socket(my $socket, AF_INET6, SOCK_RAW, 58) or die "socket: $!";
setsockopt($socket, 41, 18, pack('i', 255)) or die "hops: $!";
setsockopt($socket, 41, 17, pack('i', $index)) or die "link: $!";
my $option = pack('CCCCNNN', 3, 4, 64, 0xc0, 3600, 3600, 0) . inet_pton(AF_INET6, $prefix);
my $advertisement = pack('CCnCCnNN', 134, 0, 0, 64, 0, $lifetime, 0, 0) . $option;
my $everybody = pack_sockaddr_in6(0, inet_pton(AF_INET6, 'ff02::1'), $index);
while (1) { send($socket, $advertisement, 0, $everybody) if -e $gate; select(undef, undef, undef, 0.05) }
`

interface Advertised {
  readonly prefix: string
  /** The router advertises as soon as there is such a file. */
  readonly gate: string
  /** Seconds for which the router may be a default gateway; 0: it is none. */
  readonly lifetime?: number
}

/** The router advertises a prefix twenty times a second. */
export async function advertise(lab: Lab, { prefix, gate, lifetime = 0 }: Advertised): Promise<Running> {
  const [index = ''] = (await lab.ok('router', ['ip', '-o', 'link', 'show', 'dev', 'e0'])).split(':')
  return lab.start('router', ['perl', '-e', perl, index, prefix, gate, String(lifetime)])
}
