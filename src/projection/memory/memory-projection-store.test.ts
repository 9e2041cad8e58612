/** The projection store in memory passes the contract suite. */
import { afterAll, beforeAll, describe, it } from "vitest";
import { createMemoryStore } from "../../store/index.js";
import { projectionContract, VirtualClock } from "../../testing/index.js";
import { MemoryProjectionStore } from "./index.js";

projectionContract({ describe, it, beforeAll, afterAll }, "memory", async () => {
  const clock = new VirtualClock();
  const log = createMemoryStore({ clock });
  return {
    edge: log.edge,
    // Tenants of other tests have logs too, as they have in a database.
    store: async (definition) => new MemoryProjectionStore(definition, log, clock),
    close: async () => {},
  };
});
