import { qemuIfdown } from '../src/commands/qemu-ifdown.ts'
import { main } from '../src/main.ts'

void main(qemuIfdown)
