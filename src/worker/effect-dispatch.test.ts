/** How workers read logs for what is asked of them. */
import { expect, test } from "vitest";
import type { EventRow } from "../event/index.js";
import { EventplaneError, type TenantId } from "../kernel/index.js";
import { createMemoryStore, type LogReader } from "../store/index.js";
import {
  appending,
  appendOf,
  createTestSigner,
  draftIntent,
  newTenantId,
  signAppend,
  VirtualClock,
} from "../testing/index.js";
import { MemoryWorkStore } from "../work/index.js";
import { EffectDispatch } from "./effect-dispatch.js";

/** A log in memory with work rows beside it. */
function scene() {
  const clock = new VirtualClock();
  const store = createMemoryStore({ clock });
  const signer = createTestSigner("edge");
  const work = new MemoryWorkStore({ clock, reader: () => store.reader, tenants: () => store.tenants() });
  const publish = async (tenantId: TenantId): Promise<void> => {
    const item = appending(draftIntent({ tenantId, aggregateId: "acme" }), { expectedVersion: "any" });
    await store.edge.append([signAppend(signer, appendOf(item))]);
  };
  return { store, work, publish };
}

test("P13: a page holds fewer events the larger they are, and none is left out", async () => {
  const { store, work, publish } = scene();
  const tenantId = newTenantId();
  for (let event = 0; event < 300; event++) await publish(tenantId);
  const pages: string[] = [];
  const reader: LogReader = {
    ...store.reader,
    read: async (of, query) => {
      const rows = await store.reader.read(of, query);
      pages.push(`${rows[0]?.position} +${rows.length} of ${query.limit}`);
      return rows.map((row): EventRow => ({ ...row, statusText: row.statusText + " ".repeat(250_000) }));
    },
  };
  await new EffectDispatch({ reader, work }).tenant(tenantId, (_, error) => {
    throw error;
  });
  expect(pages.slice(0, 4)).toEqual(["1 +100 of 100", "101 +50 of 50", "151 +25 of 25", "176 +25 of 25"]);
  expect(pages.at(-1)).toBe("undefined +0 of 25");
});

const damages: readonly (readonly [string, (rows: readonly EventRow[]) => readonly EventRow[]])[] = [
  [
    "holds an ask that is not JSON",
    (rows) =>
      rows.map((row) => ({
        ...row,
        specText: "{",
        decision: { component: "ask:w", basisVersion: 1, step: 0, now: "2026-01-01T00:00:00Z" },
      })),
  ],
  [
    "has a row that cannot be decoded",
    () => {
      throw new EventplaneError("event_corrupt", "A stored proof is none.");
    },
  ],
];

test.each(damages)("P13: a tenant whose log %s stands still, and the others go on", async (_, damage) => {
  const { store, work, publish } = scene();
  const [damaged = newTenantId(), sound = newTenantId()] = [newTenantId(), newTenantId()].sort();
  for (const tenantId of [damaged, sound]) await publish(tenantId);
  const reader: LogReader = {
    ...store.reader,
    read: async (of, query) => {
      const rows = await store.reader.read(of, query);
      return of === damaged ? damage(rows) : rows;
    },
  };
  const broken: unknown[] = [];
  await new EffectDispatch({ reader, work }).all((tenantId, { code }) => void broken.push([tenantId, code]));
  expect(broken).toEqual([[damaged, "event_corrupt"]]);
  expect([await work.effectPlace(damaged), await work.effectPlace(sound)]).toMatchObject([undefined, { position: 1 }]);
});
