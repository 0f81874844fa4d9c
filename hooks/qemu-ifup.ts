import { qemuIfup } from '../src/commands/qemu-ifup.ts'
import { main } from '../src/main.ts'

void main(qemuIfup)
