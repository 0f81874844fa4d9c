import { pick, rarely, type Words } from './random-words.ts'

export const verb = pick('add', 'add', 'append', 'append', 'prepend')
export const table = rarely(3, 'table 100', 'table 200')
export const metric = (often: number): Words =>
  rarely(often, 'metric 1', 'metric 2', 'metric 99', 'metric 100', 'metric 100', 'metric 101', 'metric 1024')
export const protocol = rarely(2, 'proto static', 'proto static', 'proto bgp', 'proto 99', 'proto dhcp')
export const attributes = rarely(
  3,
  'mtu 1400',
  'mtu lock 1300',
  'advmss 1000',
  'initcwnd 20',
  'initrwnd 30 quickack 1',
  'rtt 30ms rttvar 10ms',
  'congctl cubic',
  'congctl lock reno',
  'rto_min 200ms',
  'hoplimit 33',
  'features ecn',
  'window 4000 cwnd lock 10 ssthresh 7',
  'mtu 1280 advmss 1200 reordering 5',
)

/** Routes that name no link. */
export const reject = pick('blackhole', 'unreachable', 'prohibit', 'throw')
