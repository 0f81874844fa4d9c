/** Whether a command that ends with 4 names what is left: each line of a snapshot that differs, by what it is about. */

const routeTypes = /^(unicast|blackhole|unreachable|prohibit|throw|nat) /
/** They come and go with the addresses. */
const kernelsOwn = /^route6?: . (local|broadcast|anycast|multicast) /

const firstWord = (text: string): string => text.split(' ')[0] ?? ''

/** Any of these words names it. */
function subjects(difference: string): readonly string[] {
  const [, section = '', text = ''] = /^(\w+): . (.*)$/.exec(difference) ?? []
  switch (section) {
    case 'link':
      return [`link ${firstWord(text).replace(/[@:].*$/, '')} `]
    case 'address':
      return [firstWord(text.replace(/^.* inet6? /, ''))]
    case 'route':
    case 'route6': {
      const destination = firstWord(text.replace(routeTypes, ''))
      return destination === 'default'
        ? ['default', section === 'route' ? ' 0.0.0.0/0 ' : ' ::/0 ']
        : [destination]
    }
    case 'rule':
    case 'rule6':
      return [`priority ${firstWord(text).replace(':', '')}`]
    case 'nexthop':
      return [`nexthop ${text.split(' ').slice(0, 2).join(' ')} `]
    case 'sysctl': {
      const [, family = '', dev = '', key = ''] = /^(ipv\d)\/conf\/([^/]+)\/(\w+)/.exec(text) ?? []
      return [`net.${family}.conf.${dev}.${key} `]
    }
    default:
      return [firstWord(text)]
  }
}

/** The differences (of `diffSnapshots`) that no line of the list on stderr names. */
export function unnamed(differences: readonly string[], stderr: string): readonly string[] {
  const listed = stderr.split('\n').flatMap((line) => (/^ {2}\S/.test(line) ? [`${line.trim()} `] : []))
  const wholeLinks = listed.flatMap((line) => /^(?:missing|too much): link (\S+) /.exec(line)?.[1] ?? [])
  const isCovered = (difference: string): boolean =>
    kernelsOwn.test(difference) ||
    wholeLinks.some((link) => new RegExp(`\\b${link}\\b`).test(difference)) ||
    subjects(difference).some((subject) => listed.some((line) => line.includes(subject)))
  return differences.filter((difference) => !isCovered(difference))
}
