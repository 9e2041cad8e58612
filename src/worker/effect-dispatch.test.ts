/** How workers read logs for what is asked of them. */
import { expect, test } from "vitest";
import type { EventRow } from "../event/index.js";
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

test("P13: a page holds fewer events the larger they are, and none is left out", async () => {
  const clock = new VirtualClock();
  const tenantId = newTenantId();
  const store = createMemoryStore({ clock });
  const signer = createTestSigner("edge");
  for (let event = 0; event < 300; event++) {
    const item = appending(draftIntent({ tenantId, aggregateId: "acme" }), { expectedVersion: "any" });
    await store.edge.append([signAppend(signer, appendOf(item))]);
  }
  const pages: string[] = [];
  const reader: LogReader = {
    ...store.reader,
    read: async (of, query) => {
      const rows = await store.reader.read(of, query);
      pages.push(`${rows[0]?.position} +${rows.length} of ${query.limit}`);
      return rows.map((row): EventRow => ({ ...row, statusText: row.statusText + " ".repeat(250_000) }));
    },
  };
  const work = new MemoryWorkStore({ clock, reader: () => store.reader, tenants: () => store.tenants() });
  await new EffectDispatch({ reader, work }).tenant(tenantId, (_, error) => {
    throw error;
  });
  expect(pages.slice(0, 4)).toEqual(["1 +100 of 100", "101 +50 of 50", "151 +25 of 25", "176 +25 of 25"]);
  expect(pages.at(-1)).toBe("undefined +0 of 25");
});
