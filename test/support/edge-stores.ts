/** The stores that attacks are made against: in memory, and on the run's PostgreSQL through the edge's and the reader's roles. */
import { systemClock } from "../../src/kernel/index.js";
import { PostgresAllowances } from "../../src/quota/index.js";
import { createMemoryStore } from "../../src/store/index.js";
import type { FixtureStore } from "./edge-fixture.js";
import { installEventplane } from "./postgres-installation.js";

/** Opens a fresh store. */
export type OpenStore = () => Promise<FixtureStore & { close(): Promise<void> }>;

/** Every store by name. */
export const edgeStores: readonly (readonly [string, OpenStore])[] = [
  ["memory", async () => ({ ...createMemoryStore({ clock: systemClock }), close: async () => undefined })],
  [
    "PostgreSQL",
    async () => {
      const installed = await installEventplane();
      return { ...installed, allowances: new PostgresAllowances(installed.pool("edge")) };
    },
  ],
];
