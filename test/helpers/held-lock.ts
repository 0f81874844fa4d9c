import type { Lab } from '../lab/lab.ts'
import type { Running } from '../lab/start.ts'

/** A process in the lab that holds the lock as a brup would, and keeps it until it is killed. */
export interface HeldLock {
  /** As the lab's own processes see it. */
  readonly pid: number
  readonly running: Running
}

// The holder's record is in the directory from its first moment (src/transaction/holder.ts).
const script = `
dir=/run/qemu-tap-hooks/$(stat -Lc %i /proc/self/ns/net)
mkdir -p $dir/draft
start=$(cut -d' ' -f22 /proc/$$/stat)
printf '{"pid":%d,"startTime":"%s","nonce":"%s"}' $$ $start n$$ >$dir/draft/holder
mv -T $dir/draft $dir/lock.lock
echo pid $$
exec sleep 1000`

export async function holdLock(lab: Lab): Promise<HeldLock> {
  const running = await lab.start('host', ['sh', '-c', script])
  const [, pid] = await running.waitFor(/pid (\d+)\n/)
  return { pid: Number(pid), running }
}
