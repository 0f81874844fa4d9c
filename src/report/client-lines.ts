import { clientWords, commandWords } from '../client-words.ts'
import { longAgo } from '../dhclient-leases.ts'
import { keeperPath, keeperText } from '../dhcp-keeper.ts'
import { freshVariable, scriptsFor, stateFolder, throughScript } from '../dhcp-script.ts'
import type { DhcpClient, Inherited } from '../owner-state.ts'
import type { ClientStart } from '../owner-step.ts'
import { hereDocument, quoted } from '../shell.ts'

/** A DHCP client that ends, and first what would begin it again, as lines of a shell. */
export const endLine = (client: DhcpClient): string =>
  [
    ...[keeperPattern(client), patternOf(client)].map(
      (pattern) => `pkill -KILL --ns $$ --nslist net -u root -f ${quoted(pattern)} || :`,
    ),
    `rm -f ${quoted(keeperPath(client, stateFolder))}`,
  ].join('\n')

/** Where brup has it, or such a script. */
const keeperPattern = (client: DhcpClient): string =>
  `^/bin/sh ${keeperPath(client, `${stateFolder}(/[0-9]+)?`).replaceAll('.', '[.]')}$`

/** That of its command line. */
function patternOf({ name, families, dev }: DhcpClient): string {
  const link = dev.replaceAll('.', '[.]')
  switch (name) {
    case 'dhclient':
      return `(^|/)dhclient ${families.includes(6) ? '.*-6 ' : ''}(.* )?${link}( |$)`
    case 'dhcpcd':
      // A launcher keeps another one from beginning.
      return `^dhcpcd: ((\\[.*\\] )?${link} |\\[launcher\\])`
    case 'udhcpc':
      return `udhcpc .*-i ?${link}( |$)`
  }
}

/** Its files, our script where it runs that, and the client itself. */
export function beginLines({ client, inherits, kept }: ClientStart): readonly string[] {
  const fresh = `${stateFolder}/udhcpc-${client.dev}.fresh`
  const { words, env } = throughScript(client, fresh)
  const isOurs = client.name !== 'dhcpcd' && words !== client.words
  const settings = Object.entries(env).map(([key, value]) => quoted(`${key}=${value}`))
  const marker = env[freshVariable] === undefined ? undefined : fresh
  const keeper = keeperPath(client, stateFolder)
  const text = keeperText(client, { words, env }, marker)
  const own = clientWords(client.name, client.words)?.own
  const pidFile = own?.get('-p') ?? own?.get('-pf')
  return [
    ...(pidFile === undefined ? [] : [folderLine(pidFile)]),
    ...inherits.flatMap(inheritLines),
    ...(isOurs ? [...scriptsFor(client)].flatMap(scriptLines) : []),
    ...(marker === undefined ? [] : [`touch ${quoted(fresh)}`]),
    ...(kept
      ? [`mkdir -p ${stateFolder}`, hereDocument(`cat >${quoted(keeper)}`, text.trimEnd().split('\n'))]
      : []),
    [
      'setsid env -i PATH=/usr/sbin:/sbin:/usr/bin:/bin',
      ...(kept ? [] : settings),
      (kept ? ['/bin/sh', keeper] : commandWords({ ...client, words })).map(quoted).join(' '),
      '</dev/null >/dev/null 2>&1 &',
    ].join(' '),
  ]
}

const scriptLines = ([path, text]: readonly [string, string]): readonly string[] => [
  `mkdir -p ${stateFolder}`,
  hereDocument(`cat >${path}`, text.trimEnd().split('\n')),
  `chmod 755 ${path}`,
]

const folderLine = (file: string): string => `mkdir -p -m 700 ${quoted(file.slice(0, file.lastIndexOf('/')))}`

function inheritLines({ from, to, as, oldDev, dev }: Inherited): readonly string[] {
  const source = quoted(from)
  const target = quoted(to)
  const copied = `sed '/^ *\\(interface\\|allowinterfaces\\|denyinterfaces\\)/s/\\<${oldDev}\\>/${dev}/g' ${source}`
  const action = {
    copy: `cp ${source} ${target}`,
    text: `${copied} >${target}`,
    leases: `${copied} >${target} && ${endedLease(oldDev, source)}`,
    append: `${copied} >>${target} && rm ${source}`,
  }
  return [folderLine(to), `[ ! -e ${source} ] || { ${action[as]}; }`]
}

/** The last one of the link once more, as over. */
const endedLease = (dev: string, file: string): string =>
  [
    `awk -v dev=${quoted(`"${dev}";`)} '/^lease [{]/ { b = ""; k = 0; on = 1 } on { b = b $0 "\\n" } $1 == "interface" && $2 == dev { k = 1 }`,
    `/^[}]/ { if (on && k) l = b; on = 0 } END { printf "%s", l }' ${file}`,
    `| sed 's,^  \\(renew\\|rebind\\|expire\\) .*,  \\1 ${longAgo};,' >>${file}`,
  ].join(' ')
