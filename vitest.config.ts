/** Two projects: `unit` beside the sources needs nothing; `integration` gets one real PostgreSQL for the whole run. */
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig, type ViteUserConfig } from "vitest/config";

const source = (path: string): string => fileURLToPath(new URL(`./src/${path}`, import.meta.url));

/** Inside the test process `eventplane` is the source, so no test ever sees a stale build. */
const alias = [
  { find: /^eventplane$/, replacement: source("index.ts") },
  { find: /^eventplane\/bus$/, replacement: source("bus/index.ts") },
  { find: /^eventplane\/client$/, replacement: source("client/index.ts") },
  { find: /^eventplane\/plane$/, replacement: source("plane/embedded/index.ts") },
  { find: /^eventplane\/testing$/, replacement: source("testing/kit.ts") },
];

const config: ViteUserConfig = defineConfig({
  resolve: { alias },
  test: {
    teardownTimeout: 30_000,
    reporters: ["default", ...(process.env.CI === undefined ? [] : ["json"]), "./scripts/closing-line-reporter.mjs"],
    outputFile: { json: ".cache/test-results.json" },
    maxWorkers: Math.max(2, Math.min(4, availableParallelism())),
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["src/**/*.test.ts", "examples/**/*.test.ts"],
          exclude: ["examples/starter/**"], // it runs in node:test, as its users run it: test/e2e-init.test.ts
          pool: "threads",
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: "integration",
          // A shared machine may stand still for seconds. What passes only at the second try is named at the end of the run.
          retry: process.env.CI === undefined ? 0 : 1,
          include: ["test/**/*.test.ts"],
          pool: "forks",
          testTimeout: 60_000,
          hookTimeout: 60_000,
          globalSetup: ["test/support/global-setup.ts"],
        },
      },
    ],
  },
});

export default config;
