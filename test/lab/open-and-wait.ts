// Opens a lab, prints where it is, and waits to be killed: for the lab's own test.
import { openLab } from './lab.ts'
import { nodes } from './topology.ts'

const lab = await openLab({ asUser: process.argv[2] === 'user' })
const namespaces = await Promise.all(nodes.map((node) => lab.ok(node, ['readlink', '/proc/self/ns/net'])))
const sleeper = await lab.start('host', ['sleep', '1000'])
console.log(
  JSON.stringify({ dir: lab.dir, pid: sleeper.pid, namespaces: namespaces.map((each) => each.trim()) }),
)
await sleeper.exited
