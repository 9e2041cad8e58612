import { afterAll, beforeAll, describe, it } from "vitest";
import { snapshotContract } from "../../testing/snapshot-contract.js";
import { createMemorySnapshots } from "./memory-snapshots.js";

snapshotContract({ describe, it, beforeAll, afterAll }, "memory", async () => ({
  snapshots: createMemorySnapshots(),
  close: async () => {},
}));
