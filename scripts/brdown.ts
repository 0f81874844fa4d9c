import { brdown } from '../src/commands/brdown.ts'
import { main } from '../src/main.ts'

void main(brdown)
