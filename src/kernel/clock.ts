import { readFileSync } from 'node:fs'

/** Seconds since boot, suspended time included (CLOCK_BOOTTIME): no step of the wall clock moves it. */
export const bootSeconds = (): number => Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0])

export const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()

export const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))
