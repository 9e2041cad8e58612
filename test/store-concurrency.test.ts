/** Many writers at once, on both adapters: dense positions, a chain that holds, each writer's order, no id twice. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chainHash, type DraftEvent, type EventRow, eventDigest, genesisHash } from "../src/event/index.js";
import { systemClock, type TenantId } from "../src/kernel/index.js";
import { createDoorbell } from "../src/plane/doorbell/index.js";
import {
  type Append,
  type AppendOutcome,
  Coalescer,
  createLogHub,
  createMemoryStore,
  type SubscriptionItem,
  subscribe,
} from "../src/store/index.js";
import {
  appending,
  appendOf,
  createTestSigner,
  creating,
  draftIntent,
  newEventId,
  newTenantId,
} from "../src/testing/drafts.js";
import type { StoreUnderTest } from "../src/testing/store-contract-fixture.js";
import { installEventplane } from "./support/postgres-installation.js";

const writers = 16;
const appendsPerWriter = 40;

concurrencyTests("memory", async () => ({ ...createMemoryStore({ clock: systemClock }), close: async () => {} }));
concurrencyTests("PostgreSQL", () => installEventplane());

function concurrencyTests(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`concurrent appends: ${name}`, () => {
    const signer = createTestSigner("edge");
    const doorbell = createDoorbell();
    let store: StoreUnderTest;
    let coalescers: readonly [Coalescer, Coalescer];
    beforeAll(async () => {
      store = await open();
      const coalescer = (): Coalescer => new Coalescer({ appender: store.edge, signer, clock: systemClock, doorbell });
      coalescers = [coalescer(), coalescer()];
    });
    afterAll(async () => {
      await Promise.all(coalescers.map((coalescer) => coalescer.close()));
      await store.close();
    });

    const coalescerOf = (number: number): Coalescer => coalescers[number % 2 === 0 ? 0 : 1];

    /** 16 writers, half on each coalescer; each sends its events one after the other without waiting for the answer. */
    async function write(tenants: readonly TenantId[]): Promise<Map<number, string[]>> {
      const sent = new Map<number, string[]>();
      const work = Array.from({ length: writers }, async (_, writer) => {
        const ids: string[] = [];
        sent.set(writer, ids);
        const answers: Promise<AppendOutcome>[] = [];
        for (let number = 0; number < appendsPerWriter; number++) {
          const tenantId = tenants[writer % tenants.length] ?? newTenantId();
          const append = appendOf(appending(draftIntent({ tenantId, aggregateId: `writer-${writer}` })));
          ids.push(...append.items.map(({ event }) => event.id));
          answers.push(coalescerOf(writer).append(append));
          if (number % 8 === 7) await answers.at(-1);
        }
        const outcomes = await Promise.all(answers);
        expect(outcomes.every(({ result }) => result === "appended")).toBe(true);
      });
      await Promise.all(work);
      return sent;
    }

    async function logOf(tenantId: TenantId): Promise<readonly EventRow[]> {
      const rows: EventRow[] = [];
      for (let page = await store.reader.read(tenantId, { limit: 1000 }); page.length > 0; ) {
        rows.push(...page);
        page = await store.reader.read(tenantId, { limit: 1000, after: rows.length });
      }
      return rows;
    }

    for (const tenantCount of [1, 8]) {
      it(`of ${writers} writers through two coalescers on ${tenantCount} tenants are dense, linked and in each writer's order`, async () => {
        const tenants = Array.from({ length: tenantCount }, newTenantId);
        const sent = await write(tenants);
        const logs = await Promise.all(tenants.map(logOf));
        for (const [index, rows] of logs.entries()) checkLog(tenants[index], rows);
        expect(logs.flat()).toHaveLength(writers * appendsPerWriter);
        for (const [writer, ids] of sent) {
          const own = logs.flat().filter(({ aggregateId }) => aggregateId === `writer-${writer}`);
          expect(own.map(({ id }) => id)).toEqual(ids);
          expect(own.map(({ version }) => version)).toEqual(ids.map((_, at) => at + 1));
        }
      });
    }

    it("of the same ids through two coalescers at once happen once, with one receipt for everybody", async () => {
      const tenantId = newTenantId();
      const appends = Array.from({ length: 30 }, () => appendOf(creating(draftIntent({ tenantId }))));
      const answers = appends.flatMap((append) =>
        Array.from({ length: 4 }, (_, turn) => coalescerOf(turn).append(append)),
      );
      const outcomes = await Promise.all(answers);
      const count = (result: string): number => outcomes.filter((outcome) => outcome.result === result).length;
      expect([count("appended"), count("repeated")]).toEqual([30, 90]);
      const receipts = outcomes.map((outcome) => JSON.stringify("receipts" in outcome && outcome.receipts));
      expect(new Set(receipts).size).toBe(30);
      checkLog(tenantId, await logOf(tenantId));
    });

    it("of one id with two contents at once: one is appended, the other is refused", async () => {
      const tenantId = newTenantId();
      for (let round = 0; round < 20; round++) {
        const id = newEventId();
        const append = (specText: string): Append => appendOf(creating(draftIntent({ tenantId, id, specText })));
        const outcomes = await Promise.all([
          coalescers[0].append(append("{}")),
          coalescers[1].append(append('{"a":1}')),
        ]);
        expect(
          outcomes.map((outcome) => (outcome.result === "refused" ? outcome.code : outcome.result)).toSorted(),
        ).toEqual(["appended", "content_mismatch"]);
      }
    });

    it("that expect the same version: exactly one wins each version", async () => {
      const tenantId = newTenantId();
      for (let version = 1; version <= 10; version++) {
        const race = Array.from({ length: 8 }, (_, turn) => {
          const expectedVersion = version === 1 ? "noStream" : version - 1;
          const event: DraftEvent = draftIntent({ tenantId, aggregateId: "raced" });
          return coalescerOf(turn).append(appendOf(appending(event, { expectedVersion })));
        });
        const outcomes = await Promise.all(race);
        expect(outcomes.filter(({ result }) => result === "appended")).toHaveLength(1);
      }
      expect(await logOf(tenantId)).toHaveLength(10);
    });

    it("reach subscribers that began in the middle, alone or on a hub, in order, each once", async () => {
      const tenantId = newTenantId();
      const ports = { reader: store.reader, doorbell, clock: systemClock };
      const hub = createLogHub(ports);
      const total = writers * appendsPerWriter;
      const read = async (items: AsyncIterable<SubscriptionItem>): Promise<readonly number[]> => {
        const seen: number[] = [];
        for await (const item of items) {
          if (item.type === "event") seen.push(item.event.position);
          if (seen.length === total) break;
        }
        return seen;
      };
      const reading = [subscribe(ports, tenantId, { after: 0 }), hub.subscribe(tenantId, { after: 0 })].map(read);
      await write([tenantId]);
      const expected = Array.from({ length: total }, (_, index) => index + 1);
      expect(await Promise.all(reading)).toEqual([expected, expected]);
      await hub.close();
    });
  });
}

/** Positions and versions from 1 without gaps, times that never go back, and a chain that holds from the genesis on. */
function checkLog(tenantId: TenantId | undefined, rows: readonly EventRow[]): void {
  let previousHash: Uint8Array = tenantId === undefined ? new Uint8Array() : genesisHash(tenantId, 1);
  let recordedAtUs = 0;
  const versions = new Map<string, number>();
  for (const [index, row] of rows.entries()) {
    const stream = `${row.aggregateType}/${row.aggregateId}`;
    const version = (versions.get(stream) ?? 0) + 1;
    versions.set(stream, version);
    expect([row.position, row.version]).toEqual([index + 1, version]);
    expect(row.recordedAtUs).toBeGreaterThanOrEqual(recordedAtUs);
    expect(Buffer.from(row.previousHash).equals(previousHash)).toBe(true);
    expect(chainHash(row, eventDigest(row)).equals(row.hash)).toBe(true);
    previousHash = row.hash;
    recordedAtUs = row.recordedAtUs;
  }
}
