import { afterAll, beforeAll, describe, it } from "vitest";
import { transportContract } from "../../testing/index.js";
import { MemoryTransport } from "./memory-transport.js";

transportContract({ describe, it, beforeAll, afterAll }, "memory", async () => {
  const transport = new MemoryTransport();
  return {
    transport,
    restart: async (options) => {
      transport.goAway();
      transport.comeBack(options);
    },
    close: () => transport.close(),
  };
});
