/** Contract: reads by every filter, both ways, in keyset pages; streams, ids, heads; one tenant sees nothing of another. */
import { strict as check } from "node:assert";
import type { EventRow } from "../event/index.js";
import type { TenantId } from "../kernel/index.js";
import type { ReadFilter, ReadQuery } from "../store/index.js";
import {
  appending,
  appendOf,
  creating,
  draftDerived,
  draftIntent,
  draftSystemFact,
  newEventId,
  newTenantId,
} from "./drafts.js";
import { checkThrows, defined, type StoreFixture } from "./store-contract-fixture.js";
import type { TestRunner } from "./test-runner.js";

/** Declares the tests. */
export function readContract({ describe, it }: TestRunner, store: StoreFixture): void {
  describe("read", () => {
    pageTests(it, store);
    filterTests(it, store);
    streamTests(it, store);
    isolationTests(it, store);
  });
}

type It = TestRunner["it"];

/** A tenant with 24 events of several kinds, types and streams. */
async function variedTenant(store: StoreFixture): Promise<readonly EventRow[]> {
  const tenantId = newTenantId();
  const correlationId = newEventId();
  for (let index = 0; index < 4; index++) {
    const create = draftIntent({ tenantId, aggregateId: `acme-${index}` });
    await store.appended(
      creating(create),
      appending(
        draftIntent({ tenantId, aggregateId: `acme-${index}`, type: "organization.change-plan", correlationId }),
      ),
      appending(
        draftIntent({ tenantId, aggregateType: "repository", type: "repository.create", aggregateId: `acme-${index}` }),
      ),
      appending(draftSystemFact({ tenantId }), { effect: "system" }),
    );
    const derived = draftDerived(create);
    await store.appended(
      appending(derived, { effect: "derived" }),
      appending(
        { ...draftDerived(create), kind: "internal", type: "organization.create.billing" },
        { effect: "derived" },
      ),
    );
  }
  return store.log(tenantId);
}

async function allPages(store: StoreFixture, tenantId: TenantId, query: ReadQuery): Promise<readonly EventRow[]> {
  const limit = query.limit ?? 100;
  const rows: EventRow[] = [];
  for (let turn = 0; turn < 100; turn++) {
    const last = rows.at(-1);
    const place =
      last === undefined ? {} : query.direction === "backwards" ? { before: last.position } : { after: last.position };
    const page = await store.reader.read(tenantId, { ...query, ...place });
    check.ok(page.length <= limit, "no page is longer than its limit");
    rows.push(...page);
    if (page.length < limit) return rows;
  }
  return check.fail("the pages do not end");
}

const positions = (rows: readonly EventRow[]): readonly number[] => rows.map(({ position }) => position);

function pageTests(it: It, store: StoreFixture): void {
  it("gives the whole log in position order, forwards and backwards, in pages of any size", async () => {
    const log = await variedTenant(store);
    const { tenantId } = defined(log[0]);
    check.deepEqual(
      positions(log),
      Array.from({ length: 24 }, (_, index) => index + 1),
    );
    for (const limit of [1, 5, 24, 1000]) {
      check.deepEqual(await allPages(store, tenantId, { limit }), log);
      check.deepEqual(await allPages(store, tenantId, { limit, direction: "backwards" }), log.toReversed());
    }
  });

  it("takes positions before the first and after the last", async () => {
    const log = await variedTenant(store);
    const { tenantId } = defined(log[0]);
    check.deepEqual(positions(await store.reader.read(tenantId, { after: 22 })), [23, 24]);
    check.deepEqual(await store.reader.read(tenantId, { after: 24 }), []);
    check.deepEqual(await store.reader.read(tenantId, { after: Number.MAX_SAFE_INTEGER }), []);
    check.deepEqual(positions(await store.reader.read(tenantId, { before: 3, direction: "backwards" })), [2, 1]);
    check.deepEqual(await store.reader.read(tenantId, { before: 1, direction: "backwards" }), []);
    check.deepEqual(
      positions(
        await store.reader.read(tenantId, { before: Number.MAX_SAFE_INTEGER, direction: "backwards", limit: 1 }),
      ),
      [24],
    );
  });

  it("gives 100 events when no limit is asked for, and refuses limits out of range", async () => {
    const tenantId = newTenantId();
    const drafts = Array.from({ length: 120 }, () => draftIntent({ tenantId }));
    await store.call(
      "edge",
      drafts.map((draft) => appendOf(creating(draft))),
    );
    check.equal((await store.reader.read(tenantId, {})).length, 100);
    for (const limit of [0, 1001, 1.5]) await checkThrows(store.reader.read(tenantId, { limit }), "internal");
  });
}

function filterTests(it: It, store: StoreFixture): void {
  it("filters by every property and by several at once, both ways, in pages", async () => {
    const log = await variedTenant(store);
    const { tenantId } = defined(log[0]);
    const middle = defined(log[10]);
    const filters: readonly ReadFilter[] = [
      { kind: "intent" },
      { kind: "fact" },
      { kind: "internal" },
      { type: "organization.create" },
      { type: "organization" },
      { aggregateType: "repository" },
      { aggregateType: "organization", aggregateId: "acme-2" },
      { aggregateId: "acme-1" },
      { correlationId: defined(log[1]).correlationId },
      { recordedFromUs: middle.recordedAtUs },
      { recordedBeforeUs: middle.recordedAtUs },
      { recordedFromUs: defined(log[4]).recordedAtUs, recordedBeforeUs: middle.recordedAtUs + 1 },
      { kind: "fact", aggregateType: "organization", aggregateId: "acme-3", type: "organization.create.quota" },
      { kind: "internal", type: "organization.create" },
      {},
    ];
    for (const filter of filters) {
      const expected = positions(log.filter((row) => fits(filter, row)));
      for (const limit of [2, 100]) {
        const name = JSON.stringify(filter);
        check.deepEqual(positions(await allPages(store, tenantId, { filter, limit })), expected, name);
        const back = await allPages(store, tenantId, { filter, limit, direction: "backwards" });
        check.deepEqual(positions(back), expected.toReversed(), name);
      }
    }
  });
}

function fits({ recordedFromUs, recordedBeforeUs, ...same }: ReadFilter, row: EventRow): boolean {
  if (recordedFromUs !== undefined && row.recordedAtUs < recordedFromUs) return false;
  if (recordedBeforeUs !== undefined && row.recordedAtUs >= recordedBeforeUs) return false;
  const fields: Readonly<Record<string, unknown>> = { ...row };
  return Object.entries(same).every(([name, value]) => fields[name] === value);
}

function streamTests(it: It, store: StoreFixture): void {
  it("gives a stream in version order, from any version, in pages", async () => {
    const log = await variedTenant(store);
    const { tenantId } = defined(log[0]);
    const stream = { aggregateType: "organization", aggregateId: "acme-1" };
    const expected = log.filter((row) => row.aggregateType === "organization" && row.aggregateId === "acme-1");
    check.deepEqual(
      expected.map(({ version }) => version),
      [1, 2, 3, 4],
    );
    check.deepEqual(await store.reader.readStream(tenantId, stream), expected);
    check.deepEqual(
      await store.reader.readStream(tenantId, stream, { afterVersion: 1, limit: 2 }),
      expected.slice(1, 3),
    );
    check.deepEqual(await store.reader.readStream(tenantId, stream, { afterVersion: 4 }), []);
    check.deepEqual(await store.reader.readStream(tenantId, { ...stream, aggregateId: "nobody" }), []);
  });

  it("gives the events of these ids that exist, each once", async () => {
    const log = await variedTenant(store);
    const { tenantId, id } = defined(log[0]);
    const other = defined(log[7]);
    const rows = await store.reader.readByIds(tenantId, [id, newEventId(), other.id, id]);
    check.deepEqual(
      rows.toSorted((a, b) => a.position - b.position),
      [log[0], other],
    );
    check.deepEqual(await store.reader.readByIds(tenantId, []), []);
  });

  it("gives the head", async () => {
    const log = await variedTenant(store);
    const last = defined(log.at(-1));
    const { tenantId, position, hash, recordedAtUs } = last;
    const head = await store.reader.head(tenantId);
    check.deepEqual(
      { ...head, hash: Buffer.from(head.hash) },
      { tenantId, position, hash: Buffer.from(hash), recordedAtUs, logEpoch: 1 },
    );
  });
}

function isolationTests(it: It, store: StoreFixture): void {
  it("shows a tenant nothing of another", async () => {
    const log = await variedTenant(store);
    const other = newTenantId();
    const { id, aggregateType, aggregateId, correlationId } = defined(log[0]);
    check.deepEqual(await store.reader.read(other, {}), []);
    check.deepEqual(await store.reader.read(other, { filter: { correlationId } }), []);
    check.deepEqual(await store.reader.readByIds(other, [id]), []);
    check.deepEqual(await store.reader.readStream(other, { aggregateType, aggregateId }), []);
    check.equal((await store.reader.head(other)).position, 0);
  });

  it("keeps streams of the same name in two tenants apart", async () => {
    const [one, two] = [newTenantId(), newTenantId()];
    const twice = (tenantId: TenantId): Promise<unknown> =>
      store.appended(appending(draftIntent({ tenantId, aggregateId: "acme" }), { expectedVersion: "noStream" }));
    await twice(one);
    await twice(two);
    check.equal((await store.reader.readStream(two, { aggregateType: "organization", aggregateId: "acme" })).length, 1);
  });
}
