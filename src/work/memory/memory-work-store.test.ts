/** The work table in memory passes the contract suite on a virtual clock. */
import { afterAll, beforeAll, describe, it } from "vitest";
import { createMemoryStore } from "../../store/index.js";
import { VirtualClock, workContract } from "../../testing/index.js";
import { MemoryWorkStore } from "./index.js";

workContract({ describe, it, beforeAll, afterAll }, "memory", async () => {
  const clock = new VirtualClock();
  const work: MemoryWorkStore = new MemoryWorkStore({
    clock,
    reader: () => store.reader,
    tenants: () => store.tenants(),
    codeVersion: "v1",
  });
  const store = createMemoryStore({ clock, settleLease: (tenantId, lease) => work.settle(tenantId, lease) });
  return { work, edge: store.edge, runtime: store.runtime, waitMs: (ms) => clock.advance(ms), close: async () => {} };
});
