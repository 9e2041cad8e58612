import { afterAll, beforeAll, describe, it } from "vitest";
import { systemClock } from "../../kernel/index.js";
import { createMemoryStore } from "../../store/index.js";
import { dataKeyContract } from "../../testing/index.js";
import { MemoryDataKeys } from "./memory-data-keys.js";

dataKeyContract({ describe, it, beforeAll, afterAll }, "memory", async () => {
  const store = createMemoryStore({ clock: systemClock });
  const keys = new MemoryDataKeys(store.reader, () => systemClock.nowUs());
  return { keys, edge: store.edge, close: async () => undefined };
});
