// `npm run torture`: random faults at random moments, in throw-away namespaces; see docs/reliability.md.
import { runCampaign, type Played } from './torture/campaign.ts'
import { summary, summaryLine, told, writeLog } from './torture/log.ts'
import { optionsOf } from './torture/options.ts'

const { seed, numbers, jobs, log, verbose } = optionsOf(process.argv.slice(2))
const played: Played[] = []
const start = Date.now()

const say = (line: string): void => void process.stdout.write(`${line}\n`)

function onPlayed(each: Played): void {
  played.push(each)
  if (verbose || each.problems.length > 0) for (const line of told(each)) say(line)
  if (played.length % 50 === 0) {
    writeLog(log, seed, played)
    say(`${summaryLine(played)} (${Math.round((Date.now() - start) / 1000)} s)`)
  }
}

say(`seed ${seed}: ${numbers.length} cases, ${jobs} at once`)
await runCampaign({ seed, numbers, jobs, onPlayed })
writeLog(log, seed, played)
for (const line of summary(played)) say(line)
say(`seed ${seed}, ${Math.round((Date.now() - start) / 1000)} s, log: ${log}`)
say(summaryLine(played))
process.exitCode = played.some(({ problems }) => problems.length > 0) ? 1 : 0
