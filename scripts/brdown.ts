import { brdown } from '../src/commands/brdown.ts'
import { watchdog } from '../src/commands/watchdog.ts'
import { main } from '../src/main.ts'

void main(brdown, watchdog)
