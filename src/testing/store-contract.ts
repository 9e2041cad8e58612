/**
 * The contract suite of the store: every adapter of src/store/port.ts passes it, also those that users write.
 *
 * ```ts
 * import { afterAll, beforeAll, describe, it } from "vitest";
 * storeContract({ describe, it, beforeAll, afterAll }, "memory", async () => ({
 *   ...createMemoryStore({ clock: systemClock }),
 *   close: async () => {},
 * }));
 * ```
 *
 * Each test works on tenants of its own, so one store serves the whole suite and may hold other data.
 */
import { appendContract } from "./store-contract-append.js";
import { chainContract } from "./store-contract-chain.js";
import { StoreFixture, type StoreUnderTest } from "./store-contract-fixture.js";
import { idempotencyContract } from "./store-contract-idempotency.js";
import { lifecycleContract } from "./store-contract-lifecycle.js";
import { readContract } from "./store-contract-read.js";
import type { TestRunner } from "./test-runner.js";

/** Declares the suite for one adapter; `open` gives a store that is ready. */
export function storeContract(runner: TestRunner, name: string, open: () => Promise<StoreUnderTest>): void {
  runner.describe(`store contract: ${name}`, () => {
    const fixture = new StoreFixture();
    runner.beforeAll(async () => fixture.use(await open()));
    runner.afterAll(() => fixture.close());
    appendContract(runner, fixture);
    lifecycleContract(runner, fixture);
    idempotencyContract(runner, fixture);
    readContract(runner, fixture);
    chainContract(runner, fixture);
  });
}
