/** Contract: conditions, atomicity, order, receipts, tiers and limits of append. */
import { strict as check } from "node:assert";
import type { ExpectedVersion } from "../event/index.js";
import { formatUs, limits, PLATFORM_TENANT_ID, type TenantId } from "../kernel/index.js";
import type { AppendItem } from "../store/index.js";
import {
  appending,
  appendOf,
  creating,
  draftDerived,
  draftEmitted,
  draftIntent,
  draftSystemFact,
  newEventId,
  newTenantId,
} from "./drafts.js";
import { checkRefused, checkThrows, defined, type StoreFixture } from "./store-contract-fixture.js";
import type { TestRunner } from "./test-runner.js";

/** Declares the tests. */
export function appendContract({ describe, it }: TestRunner, store: StoreFixture): void {
  describe("append", () => {
    expectedVersionTests(it, store);
    expectedGenerationTests(it, store);
    orderTests(it, store);
    receiptTests(it, store);
    tierTests(it, store);
    limitTests(it, store);
  });
}

type It = TestRunner["it"];

/** A stream of `length` events in a new tenant, and an item that would be its next event. */
async function streamOf(
  store: StoreFixture,
  length: number,
): Promise<{ tenantId: TenantId; next: (options?: Partial<AppendItem>) => AppendItem }> {
  const tenantId = newTenantId();
  const next = (options: Partial<AppendItem> = {}): AppendItem =>
    appending(draftIntent({ tenantId, aggregateId: "acme", type: "organization.change-plan" }), options);
  for (let version = 1; version <= length; version++) await store.appended(next());
  return { tenantId, next };
}

function expectedVersionTests(it: It, store: StoreFixture): void {
  const forms: readonly (readonly [length: number, expected: ExpectedVersion, fits: boolean])[] = [
    [0, "any", true],
    [0, "noStream", true],
    [0, "streamExists", false],
    [0, 1, false],
    [2, "any", true],
    [2, "noStream", false],
    [2, "streamExists", true],
    [2, 1, false],
    [2, 2, true],
    [2, 3, false],
  ];
  for (const [length, expectedVersion, fits] of forms) {
    it(`${fits ? "accepts" : "refuses"} expectedVersion ${expectedVersion} on a stream of ${length} events`, async () => {
      const { tenantId, next } = await streamOf(store, length);
      const outcome = await store.append(next({ expectedVersion }));
      if (fits) check.equal(outcome.result, "appended");
      else {
        const lifecycle = length === 0 ? "none" : "live";
        const current = { version: length, generation: length, lifecycle };
        check.deepEqual(outcome, { result: "refused", code: "wrong_expected_version", index: 0, current });
      }
      check.equal((await store.reader.head(tenantId)).position, fits ? length + 1 : length);
    });
  }
}

function expectedGenerationTests(it: It, store: StoreFixture): void {
  it("accepts the generation of the stream and refuses every other", async () => {
    const { next } = await streamOf(store, 2);
    checkRefused(await store.append(next({ expectedGeneration: 1 })), "wrong_expected_generation");
    checkRefused(await store.append(next({ expectedGeneration: 3 })), "wrong_expected_generation");
    checkRefused(await store.append(next({ expectedGeneration: 0 })), "wrong_expected_generation");
    for (const far of [2 ** 31, Number.MAX_SAFE_INTEGER]) {
      checkRefused(await store.append(next({ expectedGeneration: far })), "wrong_expected_generation");
      checkRefused(await store.append(next({ expectedVersion: far })), "wrong_expected_version");
    }
    const [receipt] = await store.appended(next({ expectedGeneration: 2 }));
    check.equal(receipt?.generation, 3);
  });

  it("accepts generation 0 for the first event of a stream", async () => {
    const { next } = await streamOf(store, 0);
    await store.appended(next({ expectedGeneration: 0 }));
  });

  it("keeps the current generation valid after derived events and system facts", async () => {
    const { tenantId, next } = await streamOf(store, 1);
    const [origin] = await store.log(tenantId);
    await store.appended(appending(draftDerived(defined(origin)), { effect: "derived" }));
    const [receipt] = await store.appended(next({ expectedGeneration: 1 }));
    check.deepEqual([receipt?.version, receipt?.generation], [3, 2]);
  });

  it("checks the lifecycle before the generation and the generation before the version", async () => {
    const { next } = await streamOf(store, 2);
    const stale = { expectedGeneration: 7, expectedVersion: 7 };
    checkRefused(await store.append(next({ ...stale, effect: "creates" })), "resource_exists");
    checkRefused(await store.append(next(stale)), "wrong_expected_generation");
    checkRefused(await store.append(next({ expectedGeneration: 2, expectedVersion: 7 })), "wrong_expected_version");
  });
}

function orderTests(it: It, store: StoreFixture): void {
  it("lets the conditions of an event see the events before it in the same append", async () => {
    const { next } = await streamOf(store, 0);
    const receipts = await store.appended(
      next({ effect: "creates", expectedVersion: "noStream" }),
      next({ expectedVersion: 1, expectedGeneration: 1 }),
      next({ expectedVersion: "streamExists", effect: "deletes" }),
    );
    check.deepEqual(
      receipts.map(({ version }) => version),
      [1, 2, 3],
    );
  });

  it("lets an append see the appends before it in the same call", async () => {
    const { next } = await streamOf(store, 0);
    const outcomes = await store.call("edge", [
      appendOf(next({ expectedVersion: "noStream" })),
      appendOf(next({ expectedVersion: "noStream" })),
      appendOf(next({ expectedVersion: 1 })),
    ]);
    check.deepEqual(
      outcomes.map(({ result }) => result),
      ["appended", "refused", "appended"],
    );
  });

  it("adds nothing of an append when one of its events is refused", async () => {
    const { tenantId, next } = await streamOf(store, 1);
    const before = await store.reader.head(tenantId);
    const other = creating(draftIntent({ tenantId }));
    checkRefused(await store.append(other, next({ expectedVersion: 9 })), "wrong_expected_version", 1);
    check.deepEqual(await store.reader.head(tenantId), before);
    check.deepEqual(await store.reader.readByIds(tenantId, [other.event.id]), []);
  });

  it("does not let one refused append touch the others of its call", async () => {
    const { tenantId, next } = await streamOf(store, 1);
    const refused = [creating(draftIntent({ tenantId })), next({ expectedVersion: 9 })] as const;
    const outcomes = await store.call("edge", [appendOf(next()), appendOf(...refused), appendOf(next())]);
    check.deepEqual(
      outcomes.map(({ result }) => result),
      ["appended", "refused", "appended"],
    );
    check.deepEqual(
      (await store.log(tenantId)).map(({ position, version }) => [position, version]),
      [
        [1, 1],
        [2, 2],
        [3, 3],
      ],
    );
  });

  it("gives the outcomes of many tenants in the order of the appends", async () => {
    const tenants = [newTenantId(), newTenantId(), newTenantId()];
    const drafts = Array.from({ length: 12 }, (_, index) => draftIntent({ tenantId: defined(tenants[index % 3]) }));
    const outcomes = await store.call(
      "edge",
      drafts.map((draft) => appendOf(creating(draft))),
    );
    const seen = outcomes.map((outcome) => (outcome.result === "refused" ? outcome.code : outcome.receipts[0]?.id));
    check.deepEqual(
      seen,
      drafts.map(({ id }) => id),
    );
    for (const tenantId of tenants) {
      const rows = await store.log(tenantId);
      check.deepEqual(
        rows.map(({ position }) => position),
        [1, 2, 3, 4],
      );
      check.deepEqual(
        rows.map(({ id }) => id),
        drafts.filter((draft) => draft.tenantId === tenantId).map(({ id }) => id),
      );
    }
  });

  it("takes an empty call", async () => {
    check.deepEqual(await store.call("edge", []), []);
  });
}

function receiptTests(it: It, store: StoreFixture): void {
  it("gives receipts that agree with the stored events", async () => {
    const { tenantId, next } = await streamOf(store, 2);
    const receipts = await store.appended(next(), creating(draftIntent({ tenantId })));
    const rows = (await store.log(tenantId)).slice(2);
    const expected = rows.map((row) => ({
      id: row.id,
      tenantId,
      aggregateType: row.aggregateType,
      aggregateId: row.aggregateId,
      version: row.version,
      position: row.position,
      generation: row.generation,
      correlationId: row.correlationId,
      hash: Buffer.from(row.hash).toString("hex"),
      recordedAt: formatUs(row.recordedAtUs),
    }));
    check.deepEqual(receipts, expected);
    check.deepEqual(
      receipts.map(({ position, version }) => [position, version]),
      [
        [3, 3],
        [4, 1],
      ],
    );
  });

  it("keeps recordedAt from going back within a tenant", async () => {
    const tenantId = newTenantId();
    for (let round = 0; round < 5; round++) await store.appended(creating(draftIntent({ tenantId })));
    const times = (await store.log(tenantId)).map(({ recordedAtUs }) => recordedAtUs);
    check.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
    );
    check.ok(defined(times[0]) > 1_577_836_800_000_000, "microseconds since 1970");
  });
}

function tierTests(it: It, store: StoreFixture): void {
  it("refuses derived events of the edge tier and others of the runtime tier, adding nothing of the call", async () => {
    const { tenantId, next } = await streamOf(store, 1);
    const [origin] = await store.log(tenantId);
    const derived = appending(draftDerived(defined(origin)), { effect: "derived" });
    await checkThrows(store.call("edge", [appendOf(next()), appendOf(derived)]), "internal");
    await checkThrows(store.call("runtime", [appendOf(derived), appendOf(next())]), "internal");
    const systemFact = appending(draftSystemFact({ tenantId }), { effect: "system" });
    await checkThrows(store.call("runtime", [appendOf(systemFact)]), "internal");
    check.equal((await store.reader.head(tenantId)).position, 1);
  });

  it("takes a decision and what it emits to other streams in one append, or neither", async () => {
    const { tenantId } = await streamOf(store, 1);
    const [origin] = await store.log(tenantId);
    const decision = (basisVersion: number): AppendItem =>
      appending(draftDerived(defined(origin)), { effect: "derived", expectedVersion: basisVersion });
    const emitted = creating(draftEmitted(defined(origin)));
    const [own, other] = await store.appended(decision(1), emitted);
    check.deepEqual([own?.version, other?.version, other?.generation, other?.position], [2, 1, 1, 3]);
    const again = creating(draftEmitted(defined(origin)));
    checkRefused(await store.append(decision(2), again), "resource_exists", 1);
    checkRefused(
      await store.append(decision(1), creating(draftEmitted(defined(origin), { aggregateId: "app" }))),
      "wrong_expected_version",
    );
    const row = (await store.log(tenantId)).at(-1);
    check.deepEqual(
      [row?.kind, row?.generation, row?.lifecycle, row?.decision?.component],
      ["intent", 1, "live", "emit:quota"],
    );
    check.equal((await store.reader.head(tenantId)).position, 3);
  });

  it("refuses intents of the runtime tier that no controller emits, and of the edge tier that one does", async () => {
    const { tenantId } = await streamOf(store, 1);
    const [origin] = await store.log(tenantId);
    const emitted = draftEmitted(defined(origin));
    const decision = defined(emitted.decision ?? undefined);
    const platform = await store.reader.head(PLATFORM_TENANT_ID);
    const refused: readonly AppendItem[] = [
      creating({ ...emitted, id: newEventId() }),
      creating({ ...emitted, decision: { ...decision, component: "quota" } }),
      creating({ ...emitted, statusText: '{"quota":{}}' }),
      creating({ ...emitted, kind: "fact" }),
      creating({ ...emitted, tenantId: PLATFORM_TENANT_ID }),
      { ...creating(emitted), effect: "derived" },
      { ...creating(draftDerived(defined(origin))), effect: "updates" },
    ];
    for (const item of refused) await checkThrows(store.call("runtime", [appendOf(item)]), "internal");
    await checkThrows(store.call("edge", [appendOf(creating(emitted))]), "internal");
    check.equal((await store.reader.head(tenantId)).position, 1);
    check.equal((await store.reader.head(PLATFORM_TENANT_ID)).position, platform.position);
  });

  it("refuses an event of another tenant than its append", async () => {
    const tenantId = newTenantId();
    const foreign = creating(draftIntent({ tenantId: newTenantId() }));
    await checkThrows(store.call("edge", [{ tenantId, items: [foreign] }]), "internal");
    check.equal((await store.reader.head(foreign.event.tenantId)).position, 0);
  });
}

function limitTests(it: It, store: StoreFixture): void {
  it("takes a call of as many tenants and events as it may have", async () => {
    const tenants = Array.from({ length: limits.callTenantsMax }, newTenantId);
    const drafts = Array.from({ length: limits.callEventsMax }, (_, index) =>
      draftIntent({ tenantId: defined(tenants[index % tenants.length]) }),
    );
    const outcomes = await store.call(
      "edge",
      drafts.map((draft) => appendOf(creating(draft))),
    );
    check.deepEqual(new Set(outcomes.map(({ result }) => result)), new Set(["appended"]));
    const heads = await Promise.all(tenants.map((tenantId) => store.reader.head(tenantId)));
    check.equal(
      heads.reduce((sum, { position }) => sum + position, 0),
      limits.callEventsMax,
    );
  });

  it("takes an atomic append of as many events as it may have", async () => {
    const tenantId = newTenantId();
    const items = Array.from({ length: limits.eventsPerRequestMax }, () => creating(draftIntent({ tenantId })));
    const receipts = await store.appended(defined(items[0]), ...items.slice(1));
    check.deepEqual(
      receipts.map(({ position }) => position),
      items.map((_, index) => index + 1),
    );
  });

  it("refuses a call of more tenants or events, adding nothing", async () => {
    const tenants = Array.from({ length: limits.callTenantsMax + 1 }, newTenantId);
    await checkThrows(
      store.call(
        "edge",
        tenants.map((tenantId) => appendOf(creating(draftIntent({ tenantId })))),
      ),
      "internal",
    );
    const tenantId = defined(tenants[0]);
    const drafts = Array.from({ length: limits.callEventsMax + 1 }, () => draftIntent({ tenantId }));
    await checkThrows(
      store.call(
        "edge",
        drafts.map((draft) => appendOf(creating(draft))),
      ),
      "internal",
    );
    check.equal((await store.reader.head(tenantId)).position, 0);
  });

  it("stores events as large as they may be, and a call as large as it may be", async () => {
    const tenantId = newTenantId();
    const specText = JSON.stringify({ text: "ä".repeat(125_000) });
    const drafts = Array.from({ length: 16 }, () => draftIntent({ tenantId, id: newEventId(), specText }));
    const outcomes = await store.call(
      "edge",
      drafts.map((draft) => appendOf(creating(draft))),
    );
    check.deepEqual(new Set(outcomes.map(({ result }) => result)), new Set(["appended"]));
    check.equal((await store.log(tenantId)).at(-1)?.specText, specText);
  });
}
