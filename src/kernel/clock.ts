import { readFileSync } from 'node:fs'
import { hrtime } from 'node:process'

/** Seconds since boot, suspended time included (CLOCK_BOOTTIME): no step of the wall clock moves it. */
export const bootSeconds = (): number => Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0])

/** CLOCK_MONOTONIC in seconds, the same in every process: neither the wall clock nor a suspended machine moves it. */
export const monotonicSeconds = (): number => Number(hrtime.bigint()) / 1e9

export const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()

export const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))
