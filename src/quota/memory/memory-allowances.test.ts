import { afterAll, beforeAll, describe, it } from "vitest";
import { systemClock } from "../../kernel/index.js";
import { allowanceContract } from "../../testing/allowance-contract.js";
import { MemoryAllowances } from "./memory-allowances.js";

allowanceContract({ describe, it, beforeAll, afterAll }, "memory", async () => ({
  allowances: new MemoryAllowances(systemClock),
  close: async () => undefined,
}));
