/** Regressions for the traps of an append under locks (DESIGN §5): stale look-ups and the order of times. */
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TenantId } from "../src/kernel/index.js";
import type { AppendItem, AppendOutcome } from "../src/store/index.js";
import {
  appending,
  appendOf,
  createTestSigner,
  creating,
  draftIntent,
  newEventId,
  newTenantId,
  signAppend,
} from "../src/testing/index.js";
import { type Installation, installEventplane } from "./support/postgres-installation.js";

let installation: Installation;
beforeAll(async () => {
  installation = await installEventplane();
});
afterAll(() => installation.close());

const signer = createTestSigner("edge");
const append = async (...items: readonly [AppendItem, ...AppendItem[]]): Promise<AppendOutcome | undefined> =>
  (await installation.edge.append([signAppend(signer, appendOf(...items))]))[0];
const isAppended = (outcome: AppendOutcome | undefined): boolean => outcome?.result === "appended";

/** Starts `work` while another session holds the tenant's head, waits until all of it waits for the lock, then lets go. */
async function behindLock<Result>(
  tenantId: TenantId,
  work: () => readonly Promise<Result>[],
): Promise<{ results: Result[]; releasedUs: number }> {
  const holder = new pg.Client({ connectionString: installation.database.superuserUrl });
  await holder.connect();
  try {
    await holder.query("begin");
    await holder.query("select from eventplane.heads where tenant_id = $1 for update", [tenantId]);
    const pending = work();
    for (let round = 0; round < 100; round++) {
      const { rows } = await holder.query(
        "select pg_stat_clear_snapshot(), count(*)::integer as n from pg_locks where not granted and database = (select oid from pg_database where datname = current_database()) or not granted and locktype = 'transactionid'",
      );
      if ((rows[0]?.n ?? 0) >= pending.length) break;
      await holder.query("select pg_sleep(0.01)");
    }
    const { rows } = await holder.query("select (extract(epoch from clock_timestamp()) * 1000000)::bigint as us");
    await holder.query("commit");
    return { results: await Promise.all(pending), releasedUs: Number(rows[0]?.us) };
  } finally {
    await holder.end();
  }
}

describe("an append that waited for its head", () => {
  it("sees an id that was appended while it waited", async () => {
    const tenantId = newTenantId();
    await append(creating(draftIntent({ tenantId })));
    const event = draftIntent({ tenantId });
    const { results } = await behindLock(tenantId, () => [
      append(creating(event)),
      append(creating(event)),
      append(creating(event)),
    ]);
    expect(results.map((outcome) => String(outcome?.result)).sort((a, b) => a.localeCompare(b))).toEqual([
      "appended",
      "repeated",
      "repeated",
    ]);
  });

  it("sees a version that was appended while it waited", async () => {
    const tenantId = newTenantId();
    const aggregateId = newEventId();
    await append(creating(draftIntent({ tenantId, aggregateId })));
    const update = (): Promise<AppendOutcome | undefined> =>
      append(
        appending(draftIntent({ tenantId, aggregateId, type: "organization.change-plan" }), { expectedVersion: 1 }),
      );
    const { results } = await behindLock(tenantId, () => [update(), update(), update()]);
    expect(results.filter(isAppended)).toHaveLength(1);
    expect(results.filter((outcome) => outcome?.result === "refused").map((outcome) => outcome.code)).toEqual([
      "wrong_expected_version",
      "wrong_expected_version",
    ]);
  });

  it("is recorded after it got the lock, not when it began", async () => {
    const tenantId = newTenantId();
    await append(creating(draftIntent({ tenantId })));
    const waits = [0, 1, 2].map(() => creating(draftIntent({ tenantId })));
    const { results, releasedUs } = await behindLock(tenantId, () => waits.map((item) => append(item)));
    expect(results.every(isAppended)).toBe(true);
    const rows = await installation.reader.read(tenantId, { after: 1 });
    expect(rows).toHaveLength(3);
    for (const row of rows) expect(row.recordedAtUs).toBeGreaterThan(releasedUs);
  });

  it("never gets an earlier time than the position before, also when the clock went back", async () => {
    const tenantId = newTenantId();
    await append(creating(draftIntent({ tenantId })));
    await installation.asSuperuser(
      "update eventplane.heads set recorded_at = '2199-01-01T00:00:00Z' where tenant_id = $1",
      [tenantId],
    );
    await append(creating(draftIntent({ tenantId })));
    const rows = await installation.reader.read(tenantId, { after: 1 });
    expect(rows.map((row) => row.recordedAtUs)).toEqual([Date.UTC(2199, 0, 1) * 1000]);
  });
});

describe("many writers", () => {
  it("keep positions and versions dense over 16 connections on 3 tenants and one stream each", async () => {
    const tenants = [newTenantId(), newTenantId(), newTenantId()];
    const aggregateId = newEventId();
    const writer = async (): Promise<void> => {
      for (let round = 0; round < 5; round++) {
        const call = tenants.map((tenantId) =>
          signAppend(signer, appendOf(appending(draftIntent({ tenantId, aggregateId })))),
        );
        const outcomes = await installation.edge.append(round % 2 === 0 ? call : call.reverse());
        expect(outcomes.every(isAppended)).toBe(true);
      }
    };
    await Promise.all(Array.from({ length: 16 }, writer));
    for (const tenantId of tenants) {
      const rows = await installation.reader.read(tenantId, { limit: 1000 });
      const dense = Array.from({ length: 80 }, (_, index) => index + 1);
      expect(rows.map((row) => row.position)).toEqual(dense);
      expect(rows.map((row) => row.version)).toEqual(dense);
    }
  });
});
