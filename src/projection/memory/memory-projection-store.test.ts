/** The projection store in memory passes the contract suite. */
import { afterAll, beforeAll, describe, it } from "vitest";
import { createMemoryStore } from "../../store/index.js";
import { projectionContract, VirtualClock } from "../../testing/index.js";
import { MemoryProjectionRows, MemoryProjectionStore } from "./index.js";

projectionContract({ describe, it, beforeAll, afterAll }, "memory", async () => {
  const clock = new VirtualClock();
  const log = createMemoryStore({ clock });
  const stores = new Map<string, MemoryProjectionStore>();
  return {
    edge: log.edge,
    // Tenants of other tests have logs too, as they have in a database.
    store: async (definition) => {
      const store = new MemoryProjectionStore(definition, log, clock);
      stores.set(definition.name, store);
      return store;
    },
    rows: () => new MemoryProjectionRows(stores),
    close: async () => {},
  };
});
