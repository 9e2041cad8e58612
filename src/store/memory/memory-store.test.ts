import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Clock, isEventplaneError, systemClock, type TenantId } from "../../kernel/index.js";
import {
  appending,
  appendOf,
  createTestSigner,
  creating,
  draftDerived,
  draftIntent,
  newTenantId,
  signAppend,
} from "../../testing/drafts.js";
import { storeContract } from "../../testing/store-contract.js";
import type { WorkLease } from "../port.js";
import { createMemoryStore } from "./memory-store.js";

storeContract({ describe, it, beforeAll, afterAll }, "memory", async () => ({
  ...createMemoryStore({ clock: systemClock }),
  close: async () => {},
}));

const edgeSigner = createTestSigner("edge");
const runtimeSigner = createTestSigner("runtime");

function clockAt(timesUs: number[]): Clock {
  return { ...systemClock, nowUs: () => timesUs.shift() ?? 0 };
}

describe("memory store", () => {
  it("keeps recordedAt when the clock goes back", async () => {
    const store = createMemoryStore({ clock: clockAt([5_000, 3_000, 9_000]) });
    const tenantId = newTenantId();
    for (let round = 0; round < 3; round++) {
      await store.edge.append([signAppend(edgeSigner, appendOf(creating(draftIntent({ tenantId }))))]);
    }
    const rows = await store.reader.read(tenantId, {});
    expect(rows.map(({ recordedAtUs }) => recordedAtUs)).toEqual([5_000, 5_000, 9_000]);
  });

  it("settles the lease after the conditions held, and adds nothing when it is lost", async () => {
    const settled: [TenantId, WorkLease][] = [];
    let held = false;
    const store = createMemoryStore({
      clock: systemClock,
      settleLease: (tenantId, lease) => {
        settled.push([tenantId, lease]);
        return held;
      },
    });
    const origin = draftIntent({ tenantId: newTenantId() });
    const { tenantId, aggregateType, aggregateId } = origin;
    await store.edge.append([signAppend(edgeSigner, appendOf(creating(origin)))]);
    const lease: WorkLease = { aggregateType, aggregateId, component: "quota", leaseToken: "1", dueAfterMs: null };
    const send = (expectedVersion: number, event = draftDerived(origin)): Promise<unknown> =>
      store.runtime.append([
        signAppend(runtimeSigner, { ...appendOf(appending(event, { effect: "derived", expectedVersion })), lease }),
      ]);

    expect(await send(9)).toMatchObject([{ result: "refused", code: "wrong_expected_version" }]);
    expect(settled).toEqual([]);
    expect(await send(1)).toMatchObject([
      { result: "refused", code: "lease_lost", index: 0, current: { version: 1, generation: 1, lifecycle: "live" } },
    ]);
    expect((await store.reader.head(tenantId)).position).toBe(1);
    held = true;
    const derived = draftDerived(origin);
    expect(await send(1, derived)).toMatchObject([{ result: "appended" }]);
    expect(settled).toEqual([
      [tenantId, lease],
      [tenantId, lease],
    ]);
    expect(await send(1, derived)).toMatchObject([{ result: "repeated" }]);
    expect(settled).toHaveLength(2);
  });

  it("refuses a lease when it knows no work rows", async () => {
    const store = createMemoryStore({ clock: systemClock });
    const origin = draftIntent({ tenantId: newTenantId() });
    await store.edge.append([signAppend(edgeSigner, appendOf(creating(origin)))]);
    const lease: WorkLease = {
      aggregateType: "organization",
      aggregateId: "a",
      component: "quota",
      leaseToken: "1",
      dueAfterMs: null,
    };
    const append = { ...appendOf(appending(draftDerived(origin), { effect: "derived" })), lease };
    const refused = store.runtime.append([signAppend(runtimeSigner, append)]);
    await expect(refused).rejects.toSatisfy((error) => isEventplaneError(error, "internal"));
    expect((await store.reader.head(origin.tenantId)).position).toBe(1);
  });
});
