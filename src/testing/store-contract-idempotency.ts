/** Contract: an id is used once and for ever (P5), in both tiers. */
import { strict as check } from "node:assert";
import type { DraftEvent } from "../event/index.js";
import type { AppendItem, AppendOutcome } from "../store/index.js";
import { appending, appendOf, creating, draftDerived, draftIntent, newEventId, newTenantId } from "./drafts.js";
import { checkRefused, defined, type StoreFixture } from "./store-contract-fixture.js";
import type { TestRunner } from "./test-runner.js";

/** Declares the tests. */
export function idempotencyContract({ describe, it }: TestRunner, store: StoreFixture): void {
  describe("P5: the same id", () => {
    publishedTests(it, store);
    contentTests(it, store);
    manyTests(it, store);
    derivedTests(it, store);
  });
}

type It = TestRunner["it"];

function publishedTests(it: It, store: StoreFixture): void {
  it("with the same content gives the first receipt again, also when its conditions no longer hold", async () => {
    const tenantId = newTenantId();
    const item = creating(draftIntent({ tenantId, aggregateId: "acme" }), {
      expectedVersion: "noStream",
      expectedGeneration: 0,
    });
    const receipts = await store.appended(item);
    await store.appended(appending(draftIntent({ tenantId, aggregateId: "acme" }), { effect: "deletes" }));
    check.deepEqual(await store.append(item), { result: "repeated", receipts, contentDiffers: false });
    check.equal((await store.reader.head(tenantId)).position, 2);
  });

  it("in another tenant is another event", async () => {
    const id = newEventId();
    const [one, two] = [newTenantId(), newTenantId()];
    const outcomes = await store.call("edge", [
      appendOf(creating(draftIntent({ tenantId: one, id }))),
      appendOf(creating(draftIntent({ tenantId: two, id, specText: '{"name":"Other"}' }))),
    ]);
    check.deepEqual(
      outcomes.map(({ result }) => result),
      ["appended", "appended"],
    );
    check.equal((await store.log(one))[0]?.specText, '{"name":"Acme"}');
    check.equal((await store.log(two))[0]?.specText, '{"name":"Other"}');
  });

  it("twice in one call is appended once", async () => {
    const append = appendOf(creating(draftIntent({ tenantId: newTenantId() })));
    const [first, second] = await store.call("edge", [append, append]);
    check.equal(first?.result, "appended");
    check.deepEqual(second, { ...first, result: "repeated", contentDiffers: false });
    check.equal((await store.reader.head(append.tenantId)).position, 1);
  });

  it("twice in one append is refused, the first time and later", async () => {
    const tenantId = newTenantId();
    const item = appending(draftIntent({ tenantId }));
    checkRefused(await store.append(item, item), "content_mismatch", 1);
    await store.appended(item);
    checkRefused(await store.append(item, item), "content_mismatch", 1);
  });

  it("sent many times at once is appended once, and everybody gets the same receipt", async () => {
    const append = appendOf(creating(draftIntent({ tenantId: newTenantId() })));
    const outcomes = (await Promise.all(Array.from({ length: 20 }, () => store.call("edge", [append])))).flat();
    const count = (result: string): number => outcomes.filter((outcome) => outcome.result === result).length;
    check.deepEqual([count("appended"), count("repeated")], [1, 19]);
    check.equal(new Set(outcomes.map((outcome) => JSON.stringify("receipts" in outcome && outcome.receipts))).size, 1);
  });

  it("is free again when its append was refused", async () => {
    const tenantId = newTenantId();
    const event = draftIntent({ tenantId });
    checkRefused(await store.append(appending(event, { expectedVersion: 5 })), "wrong_expected_version");
    await store.appended(creating({ ...event, specText: "{}" }));
  });
}

function contentTests(it: It, store: StoreFixture): void {
  const event = draftIntent({
    tenantId: newTenantId(),
    occurredAt: "2026-01-01T00:00:00.000000Z",
    kind: "fact",
    source: "github",
  });
  const others: readonly Partial<DraftEvent>[] = [
    { specText: '{"name": "Acme"}' },
    { kind: "intent", source: null },
    { type: "organization.update" },
    { aggregateId: "other" },
    { source: "gitlab" },
    { correlationId: newEventId() },
    { causationId: newEventId() },
    { occurredAt: null },
    { occurredAt: "2026-01-01T00:00:00.000001Z" },
    { aggregateType: "repository", type: "repository.create" },
  ];
  for (const other of others) {
    it(`with another ${Object.keys(other).join(" and ")} is refused for ever`, async () => {
      const tenantId = newTenantId();
      await store.appended(appending({ ...event, tenantId }));
      for (let round = 0; round < 2; round++) {
        checkRefused(await store.append(appending({ ...event, tenantId, ...other })), "content_mismatch");
      }
      check.equal((await store.reader.head(tenantId)).position, 1);
    });
  }

  it("with another stamp, trace or schema version has the same content", async () => {
    const tenantId = newTenantId();
    const receipts = await store.appended(appending({ ...event, tenantId }));
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const again = appending({ ...event, tenantId, causedByText: '{"at":"later"}', traceparent, schemaVersion: 2 });
    check.deepEqual(await store.append(again), { result: "repeated", receipts, contentDiffers: false });
  });
}

function manyTests(it: It, store: StoreFixture): void {
  it("for all events of an append repeats it, in the order asked now", async () => {
    const tenantId = newTenantId();
    const [one, two] = [creating(draftIntent({ tenantId })), creating(draftIntent({ tenantId }))];
    const receipts = await store.appended(one, two);
    check.deepEqual(await store.append(two, one), {
      result: "repeated",
      receipts: receipts.toReversed(),
      contentDiffers: false,
    });
  });

  it("for an append with a deletion that had nothing to do repeats it, as long as it has nothing to do", async () => {
    const tenantId = newTenantId();
    const [gone, fresh] = [draftIntent({ tenantId }), creating(draftIntent({ tenantId }))];
    const deletion = (): AppendItem =>
      appending(draftIntent({ tenantId, aggregateId: gone.aggregateId, type: "organization.delete" }), {
        effect: "deletes",
      });
    await store.appended(creating(gone));
    const [deleted] = await store.appended(deletion());
    const again = deletion();
    const receipts = await store.appended(again, fresh);
    check.deepEqual(receipts[0], deleted);
    check.deepEqual(await store.append(again, fresh), { result: "repeated", receipts, contentDiffers: false });
    const [twice, afterIt] = await store.call("edge", [appendOf(again, fresh), appendOf(fresh, again)]);
    check.deepEqual(twice, { result: "repeated", receipts, contentDiffers: false });
    check.deepEqual(afterIt, { result: "repeated", receipts: receipts.toReversed(), contentDiffers: false });
    check.equal((await store.reader.head(tenantId)).position, 3);
    // One that would delete something is no repetition, nor is other content excused by it.
    const living = appending(
      { ...again.event, id: newEventId(), aggregateId: fresh.event.aggregateId },
      { effect: "deletes" },
    );
    checkRefused(await store.append(fresh, living), "content_mismatch", 1);
    const other = { ...fresh, event: { ...fresh.event, specText: "{}" } };
    checkRefused(await store.append(again, other), "content_mismatch", 1);
    check.equal((await store.reader.head(tenantId)).position, 3);
  });

  it("for some events of an append refuses all of it", async () => {
    const tenantId = newTenantId();
    const [known, fresh] = [creating(draftIntent({ tenantId })), creating(draftIntent({ tenantId }))];
    await store.appended(known);
    const outcomes = [await store.append(known, fresh), await store.append(fresh, known)];
    check.deepEqual(
      outcomes.map((outcome) => outcome.result === "refused" && outcome.code),
      ["content_mismatch", "content_mismatch"],
    );
    check.equal((await store.reader.head(tenantId)).position, 1);
  });
}

function derivedTests(it: It, store: StoreFixture): void {
  const begin = async (): Promise<{ origin: DraftEvent; derived: DraftEvent }> => {
    const origin = draftIntent({ tenantId: newTenantId() });
    await store.appended(creating(origin));
    return { origin, derived: draftDerived(origin) };
  };
  const derivedItem = (event: DraftEvent, version: number): Parameters<StoreFixture["append"]>[0] =>
    appending(event, { effect: "derived", expectedVersion: version });

  it("of a derived event gives the first receipt, although its basis has moved", async () => {
    const { derived } = await begin();
    const receipts = await store.appended(derivedItem(derived, 1));
    check.deepEqual(await store.append(derivedItem(derived, 1)), {
      result: "repeated",
      receipts,
      contentDiffers: false,
    });
  });

  for (const other of [{ statusText: "{}" }, { finalizersText: "{}" }, { specText: '{"a":1}' }]) {
    it(`of a derived event with another ${Object.keys(other)[0]} says so and adds nothing`, async () => {
      const { derived } = await begin();
      const receipts = await store.appended(derivedItem(derived, 1));
      const outcome: AppendOutcome = await store.append(derivedItem({ ...derived, ...other }, 1));
      check.deepEqual(outcome, { result: "repeated", receipts, contentDiffers: true });
    });
  }

  it("of some derived events of an append gives the receipts of those and adds nothing", async () => {
    const { origin, derived } = await begin();
    const receipts = await store.appended(derivedItem(derived, 1));
    const outcome = await store.append(derivedItem(derived, 1), derivedItem(draftDerived(origin), 2));
    check.deepEqual(outcome, { result: "repeated", receipts, contentDiffers: true });
    check.equal((await store.reader.head(origin.tenantId)).position, 2);
  });

  it("is not known and the basis has moved: the derived append is refused and can be decided again", async () => {
    const { origin, derived } = await begin();
    const stale = draftDerived(origin);
    await store.appended(derivedItem(derived, 1));
    checkRefused(await store.append(derivedItem(stale, 1)), "wrong_expected_version");
    const receipts = await store.appended(derivedItem(stale, 2), derivedItem(draftDerived(origin), 3));
    check.deepEqual(
      receipts.map(({ version }) => version),
      [3, 4],
    );
    check.equal(defined(receipts[0]).generation, 1);
  });
}
