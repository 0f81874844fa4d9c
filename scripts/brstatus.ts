import { brstatus } from '../src/commands/brstatus.ts'
import { main } from '../src/main.ts'

void main(brstatus)
