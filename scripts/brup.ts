import { brup } from '../src/commands/brup.ts'
import { main } from '../src/main.ts'

void main(brup)
