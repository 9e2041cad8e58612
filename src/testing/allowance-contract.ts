/** The contract suite of where what is left of limits is shared: every adapter of src/quota/port.ts passes it. */
import { strict as check } from "node:assert";
import { systemClock } from "../kernel/index.js";
import type { AllowanceClaim, AllowanceGrant, AllowanceStore } from "../quota/index.js";
import { newTenantId } from "./drafts.js";
import type { TestRunner } from "./test-runner.js";

/** An opened store of allowances. */
export interface AllowancesUnderTest {
  readonly allowances: AllowanceStore;
  close(): Promise<void>;
}

/** Nothing of it comes back while a test runs. */
function claimOf(parts: Partial<AllowanceClaim> = {}): AllowanceClaim {
  return {
    tenantId: newTenantId(),
    name: "requests",
    capacity: 100,
    perSecond: 0,
    tokens: 30,
    keepSeconds: 60,
    ...parts,
  };
}

/** Declares the suite for one adapter. */
export function allowanceContract(runner: TestRunner, name: string, open: () => Promise<AllowancesUnderTest>): void {
  runner.describe(`allowance contract: ${name}`, () => {
    let under: AllowancesUnderTest;
    const claim = async (each: AllowanceClaim): Promise<AllowanceGrant | undefined> =>
      (await under.allowances.claim([each]))[0];
    runner.beforeAll(async () => {
      under = await open();
    });
    runner.afterAll(() => under.close());

    runner.it("grants what is wanted while it is there, then the rest, then nothing", async () => {
      const each = claimOf({ tokens: 60 });
      check.deepEqual(await claim(each), { granted: 60, left: 40 });
      check.deepEqual(await claim(each), { granted: 40, left: 0 });
      check.deepEqual(await claim(each), { granted: 0, left: 0 });
      check.deepEqual(await claim(claimOf({ tokens: 101 })), { granted: 100, left: 0 });
    });

    runner.it("takes back what is given back, and is never more than full", async () => {
      const each = claimOf();
      await claim(each);
      check.deepEqual(await claim({ ...each, tokens: -10 }), { granted: -10, left: 80 });
      check.deepEqual(await claim({ ...each, tokens: -50 }), { granted: -50, left: 100 });
    });

    runner.it("keeps tenants and names apart, and answers in the order of the claims", async () => {
      const first = claimOf({ tokens: 1 });
      const all = [
        { ...first, name: "b", tokens: 3 },
        { ...first, tenantId: newTenantId() },
        { ...first, name: "a", tokens: 2 },
      ];
      check.deepEqual(
        (await under.allowances.claim(all)).map(({ left }) => left),
        [97, 99, 98],
      );
      check.deepEqual(await claim(first), { granted: 1, left: 99 });
    });

    runner.it("gives back with time what comes in a second, as fast as the last claim says", async () => {
      const each = claimOf({ tokens: 100 });
      await claim(each);
      check.equal((await claim({ ...each, tokens: 1 }))?.granted, 0);
      await systemClock.sleep(20);
      check.deepEqual(await claim({ ...each, perSecond: 1_000_000, tokens: 100 }), { granted: 100, left: 0 });
    });

    runner.it("grants nothing below a capacity that was lowered, and all of one that was raised", async () => {
      const each = claimOf();
      await claim(each);
      check.deepEqual(await claim({ ...each, capacity: 10, tokens: 1 }), { granted: 0, left: -20 });
      check.deepEqual(await claim({ ...each, capacity: 1_000, tokens: 970 }), { granted: 970, left: 0 });
    });

    runner.it("grants no token twice to claims that come at once", async () => {
      const tenants = [newTenantId(), newTenantId()];
      const claims = (order: readonly number[]): readonly AllowanceClaim[] =>
        order.map((n) => claimOf({ tenantId: tenants[n] ?? newTenantId(), tokens: 7 }));
      const calls = Array.from({ length: 20 }, (_, n) => under.allowances.claim(claims(n % 2 === 0 ? [0, 1] : [1, 0])));
      const granted = (await Promise.all(calls)).flat().reduce((sum, each) => sum + each.granted, 0);
      check.equal(granted, 200);
    });

    runner.it("tells each process how many the others hold, as long as they say so", async () => {
      const tenantId = newTenantId();
      const declare = async (holder: string, held: number, keepSeconds = 60): Promise<number | undefined> =>
        (await under.allowances.declare(holder, [{ tenantId, name: "connections", held }], keepSeconds))[0];
      check.equal(await declare("a", 3), 0);
      check.equal(await declare("b", 5), 3);
      check.equal(await declare("c", 1, 0), 8);
      await systemClock.sleep(5);
      check.equal(await declare("a", 4), 5);
      check.equal(await declare("b", 0), 4);
      check.deepEqual(
        await under.allowances.declare("b", [{ tenantId: newTenantId(), name: "connections", held: 1 }], 60),
        [0],
      );
    });

    runner.it("forgets what is over, and nothing else", async () => {
      const [over, going] = [claimOf({ keepSeconds: 0 }), claimOf()];
      await under.allowances.claim([over, going]);
      await systemClock.sleep(5);
      await under.allowances.sweep();
      const left = await under.allowances.claim([over, going]);
      check.deepEqual(
        left.map((each) => each.left),
        [70, 40],
      );
    });
  });
}
