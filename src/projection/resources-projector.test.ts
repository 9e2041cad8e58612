/** The resources projection on memory. */
import { expect, test } from "vitest";
import type { EventRow } from "../event/index.js";
import { EventplaneError, type TenantId } from "../kernel/index.js";
import { type AppendItem, createMemoryStore, type LogReader } from "../store/index.js";
import {
  appending,
  appendOf,
  createTestApp,
  createTestSigner,
  creating,
  draftIntent,
  draftSystemFact,
  newTenantId,
  signAppend,
  VirtualClock,
} from "../testing/index.js";
import { MemoryResourceTable, ResourcesProjector, type ResourcesProjectorOptions } from "./index.js";

const signer = createTestSigner("edge");

class Bench {
  readonly clock = new VirtualClock();
  readonly store = createMemoryStore({ clock: this.clock });
  readonly table = new MemoryResourceTable(this.store);
  readonly errors: string[] = [];

  projector(options: Partial<ResourcesProjectorOptions> = {}): ResourcesProjector {
    const silent = { debug: () => {}, info: () => {}, warn: () => {} };
    const logger = {
      ...silent,
      error: (_: unknown, message: string) => void this.errors.push(message),
      child: () => logger,
    };
    const app = createTestApp({});
    return new ResourcesProjector({
      table: this.table,
      reader: this.store.reader,
      app,
      clock: this.clock,
      logger,
      ...options,
    });
  }

  async publish(tenantId: TenantId, ...plans: readonly string[]): Promise<void> {
    for (const [index, plan] of plans.entries()) {
      const type = index === 0 ? "organization.create" : "organization.change-plan";
      const event = draftIntent({ tenantId, aggregateId: "acme", type, specText: JSON.stringify({ plan }) });
      await this.store.edge.append([signAppend(signer, appendOf(index === 0 ? creating(event) : appending(event)))]);
    }
  }

  async change(tenantId: TenantId, plan: string): Promise<void> {
    const type = "organization.change-plan";
    const event = draftIntent({ tenantId, aggregateId: "acme", type, specText: JSON.stringify({ plan }) });
    await this.store.edge.append([signAppend(signer, appendOf(appending(event)))]);
  }

  async flood(tenantId: TenantId, events: number): Promise<void> {
    const one = (): AppendItem => appending(draftIntent({ tenantId, aggregateId: "acme", specText: "{}" }));
    const items = Array.from({ length: events - 1 }, one);
    await this.store.edge.append([signAppend(signer, appendOf(one(), ...items))]);
  }

  async plan(tenantId: TenantId): Promise<unknown> {
    const [fold] = await this.table.folds(tenantId, [{ aggregateType: "organization", aggregateId: "acme" }]);
    return fold?.spec.plan;
  }
}

/** The log with one event changed on its way. */
function tampered(reader: LogReader, change: (row: EventRow) => EventRow): LogReader {
  return { ...reader, read: async (tenantId, query) => (await reader.read(tenantId, query)).map(change) };
}

test("the table holds the fold of each stream, and the cursor stands at the end", async () => {
  const bench = new Bench();
  const tenantId = newTenantId();
  await bench.publish(tenantId, "free", "team");
  await bench.projector().catchUp();
  expect(await bench.plan(tenantId)).toBe("team");
  expect((await bench.table.cursor(tenantId))?.position).toBe(2);
});

test("it folds on where it stood, also in a new process", async () => {
  const bench = new Bench();
  const tenantId = newTenantId();
  await bench.publish(tenantId, "free");
  await bench.projector().catchUp();
  const event = draftIntent({
    tenantId,
    aggregateId: "acme",
    type: "organization.change-plan",
    specText: '{"plan":"team"}',
  });
  await bench.store.edge.append([signAppend(signer, appendOf(appending(event)))]);
  await bench.projector().catchUp();
  expect(await bench.plan(tenantId)).toBe("team");
});

test("system facts make no resource", async () => {
  const bench = new Bench();
  const tenantId = newTenantId();
  const fact = draftSystemFact({ tenantId, aggregateId: "r" });
  await bench.store.edge.append([
    signAppend(signer, appendOf({ event: fact, effect: "system", expectedVersion: "any" })),
  ]);
  await bench.projector().catchUp();
  expect(await bench.table.folds(tenantId, [{ aggregateType: "refusal", aggregateId: "r" }])).toEqual([]);
  expect((await bench.table.cursor(tenantId))?.position).toBe(1);
});

test("two at once fold each event once", async () => {
  const bench = new Bench();
  const tenantId = newTenantId();
  const [a, b] = [bench.projector(), bench.projector()];
  await bench.publish(tenantId, "free", "team", "free");
  await Promise.all([a.catchUp(), b.catchUp()]);
  await Promise.all([a.catchUp(), b.catchUp()]);
  expect(await bench.plan(tenantId)).toBe("free");
  expect([...a.stopped(), ...b.stopped()]).toEqual([]);
});

test("a process that another has overtaken folds on from there", async () => {
  const bench = new Bench();
  const tenantId = newTenantId();
  const [slow, fast] = [bench.projector(), bench.projector()];
  await bench.publish(tenantId, "free");
  await fast.catchUp();
  await bench.store.edge.append([
    signAppend(signer, appendOf(creating(draftIntent({ tenantId, aggregateId: "other" })))),
  ]);
  await slow.catchUp();
  // What slow now loads of acme is newer than where slow left the cursor.
  await bench.change(tenantId, "team");
  await bench.projector().catchUp();
  await bench.change(tenantId, "enterprise");
  await slow.catchUp();
  expect(slow.stopped()).toEqual([]);
  await slow.catchUp();
  expect(await bench.plan(tenantId)).toBe("enterprise");
});

test("a tenant that floods the log does not hold up another", async () => {
  const bench = new Bench();
  const tenants = [newTenantId(), newTenantId()].sort();
  const [flooding, quiet] = tenants;
  if (flooding === undefined || quiet === undefined) throw new Error("there are two");
  await bench.publish(flooding, "free");
  await bench.publish(quiet, "free");
  // As fast as it is read: there is always more.
  let reads = 0;
  let readsBefore = Number.NaN;
  const reader: LogReader = {
    ...bench.store.reader,
    read: async (tenantId, query) => {
      if (tenantId === quiet) readsBefore = reads;
      if (tenantId === flooding && reads++ < 50) await bench.flood(flooding, query.limit ?? 100);
      return bench.store.reader.read(tenantId, query);
    },
  };
  const stop = new AbortController();
  const running = bench.projector({ reader }).run(stop.signal);
  for (let turn = 0; turn < 50 && (await bench.plan(quiet)) === undefined; turn++) await bench.clock.advance(10);
  expect(await bench.plan(quiet)).toBe("free");
  expect(readsBefore).toBeLessThan(10);
  stop.abort();
  await running;
});

test("a tenant whose log cannot be read stands still with an alarm; others go on", async () => {
  const bench = new Bench();
  const [bad, good] = [newTenantId(), newTenantId()].sort();
  if (bad === undefined || good === undefined) throw new Error("there are two");
  await bench.publish(bad, "free");
  await bench.publish(good, "free");
  const reader = tampered(bench.store.reader, (row) => {
    if (row.tenantId === bad) throw new EventplaneError("internal", "A row has a time that is no number.");
    return row;
  });
  const projector = bench.projector({ reader });
  await projector.catchUp();
  expect(await bench.plan(good)).toBe("free");
  expect(projector.stopped()).toMatchObject([{ tenantId: bad, position: 0, code: "internal" }]);
});

test("an event that does not continue the log stops its tenant before it, with an alarm; others go on", async () => {
  const bench = new Bench();
  const [bad, good] = [newTenantId(), newTenantId()];
  await bench.publish(bad, "free", "team");
  await bench.publish(good, "free", "team");
  const reader = tampered(bench.store.reader, (row) =>
    row.tenantId === bad && row.position === 2 ? { ...row, previousHash: Buffer.alloc(32) } : row,
  );
  const projector = bench.projector({ reader });
  await projector.catchUp();
  expect(projector.stopped()).toMatchObject([{ tenantId: bad, position: 1, code: "verification_failed" }]);
  expect(await bench.plan(bad)).toBe("free");
  expect(await bench.plan(good)).toBe("team");
  expect(bench.errors).toHaveLength(1);
});

test("a fold that throws stops its tenant and names the event's type, not its payload", async () => {
  const bench = new Bench();
  const tenantId = newTenantId();
  await bench.publish(tenantId, "free", "secret");
  const app = createTestApp({});
  const organization = app.aggregates.get("organization");
  const intent = organization?.intents.get("organization.change-plan");
  if (organization === undefined || intent === undefined) throw new Error("the test app has it");
  const fold = (): never => {
    throw new Error("secret");
  };
  const intents = new Map([...organization.intents, [intent.type, { ...intent, fold }]]);
  const projector = bench.projector({ app: { aggregates: new Map([["organization", { ...organization, intents }]]) } });
  await projector.catchUp();
  const [stopped] = projector.stopped();
  expect(stopped).toMatchObject({ position: 1, code: "event_corrupt" });
  expect(stopped?.message).toContain("organization.change-plan");
  expect(stopped?.message).not.toContain("secret");
});

test("a log that is shorter than the cursor stops its tenant", async () => {
  const bench = new Bench();
  const tenantId = newTenantId();
  await bench.publish(tenantId, "free", "team");
  await bench.projector().catchUp();
  const head = await bench.store.reader.head(tenantId);
  const reader = { ...bench.store.reader, read: async () => [], head: async () => ({ ...head, position: 1 }) };
  const table = new MemoryResourceTable({ reader, tenants: () => [tenantId] });
  const cursor = await bench.table.cursor(tenantId);
  if (cursor === undefined) throw new Error("there is one");
  await table.apply(tenantId, { from: undefined, to: cursor, folds: [] });
  const projector = bench.projector({ table, reader });
  await projector.catchUp();
  expect(projector.stopped()).toMatchObject([{ tenantId, code: "verification_failed" }]);
});
