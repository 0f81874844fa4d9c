import { defineConfig } from 'vitest/config'

const limits = { testTimeout: 180_000, hookTimeout: 180_000 }
/** They measure what is lost and how soon the host is back, or take the whole machine: nothing else runs beside them. */
const alone = ['outage', 'kill', 'gateway-time', 'torture', 'races', 'owners-outage'].map(
  (name) => `test/kernel/${name}.test.ts`,
)

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 3,
    teardownTimeout: 30_000,
    maxConcurrency: 10,
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 60_000 } },
      {
        extends: true,
        test: { name: 'kernel', include: ['test/kernel/**/*.test.ts'], exclude: alone, ...limits },
      },
      {
        extends: true,
        test: { name: 'alone', include: alone, maxWorkers: 1, sequence: { groupOrder: 1 }, ...limits },
      },
    ],
  },
})
