import { brup } from '../src/commands/brup.ts'
import { watchdog } from '../src/commands/watchdog.ts'
import { main } from '../src/main.ts'

void main(brup, watchdog)
