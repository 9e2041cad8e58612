import { expect, test } from "vitest";
import type { EventRow } from "../event/index.js";
import type { TenantId } from "../kernel/index.js";
import type { WebhookEntry } from "./directory.js";
import { Lane } from "./lane.js";
import { type OfferParts, offerNews } from "./offers.js";

const tenantId = "11111111-1111-8111-8111-111111111111" as TenantId;
const logEnd = 2_000;

/** A log of `logEnd` events that no webhook here means. */
function partsOf(reads: number[]): OfferParts {
  const reader = {
    read: async (
      _tenantId: TenantId,
      { after = 0, limit = 0 }: { readonly after?: number; readonly limit?: number },
    ) => {
      reads.push(after);
      const length = Math.max(0, Math.min(limit, logEnd - after));
      const row = (index: number): EventRow => ({ position: after + index + 1, type: "note.create" }) as EventRow; // all that is looked at
      return Array.from({ length }, (_, index) => row(index));
    },
  };
  return { reader, store: { offer: async () => true } } as unknown as OfferParts; // all that is asked
}

function laneAt(position: number): Lane {
  const webhook = { id: `${position}`, tenantId, filter: { types: ["organization.*"] } } as unknown as WebhookEntry; // all that is looked at
  const lane = new Lane(webhook, { monotonicMs: () => 0 });
  lane.see({ position, waiting: 0, failingSince: null });
  return lane;
}

test("webhooks of a tenant that stand apart take turns, four pages at a look, until all have seen the end", async () => {
  const reads: number[] = [];
  const parts = partsOf(reads);
  const lanes = Array.from({ length: 50 }, (_, index) => ({ lane: laneAt(index), sight: () => true }));
  let looks = 0;
  for (let more = true; more && looks < 1_000; looks++) {
    const before = reads.length;
    more = await offerNews(parts, tenantId, lanes);
    expect(reads.length - before).toBeLessThanOrEqual(4);
    // After 13 looks each had its turn.
    if (looks === 12) expect(lanes.every(({ lane }) => lane.looked >= 200)).toBe(true);
  }
  expect(lanes.map(({ lane }) => lane.looked)).toEqual(lanes.map(() => logEnd));
});
