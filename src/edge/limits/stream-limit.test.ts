import { beforeEach, expect, test } from "vitest";
import { EventplaneError, type TenantId } from "../../kernel/index.js";
import { VirtualClock } from "../../testing/index.js";
import { StreamLimit } from "./stream-limit.js";

const tenantId = "11111111-1111-8111-8111-111111111111" as TenantId;
let clock: VirtualClock;
let folded: number;
let counts: number;
let limit: StreamLimit;

beforeEach(() => {
  clock = new VirtualClock();
  [folded, counts] = [0, 0];
  limit = new StreamLimit({
    clock,
    count: async (_tenantId, max) => {
      counts++;
      return Math.min(folded, max);
    },
  });
});

const taken = async (streams: number, max: number): Promise<unknown> =>
  limit.take(tenantId, streams, max).then(
    () => true,
    (error: EventplaneError) => error.code,
  );

test("lets in what is left of the count and of what it let in since, with one count in 10 s", async () => {
  folded = 40;
  for (let n = 0; n < 50; n++) expect(await taken(1, 100)).toBe(true);
  expect(counts).toBe(1);
  await clock.advance(10_000);
  folded = 90;
  expect(await taken(1, 100)).toBe(true);
  expect(counts).toBe(2);
});

test("near the limit is counted every second, so that what others made is seen", async () => {
  folded = 95;
  expect(await taken(5, 100)).toBe(true);
  expect(await taken(1, 100)).toBe("streams_limited");
  expect(counts).toBe(1);
  await clock.advance(1_000);
  folded = 99;
  expect([await taken(1, 100), await taken(1, 100), counts]).toEqual([true, "streams_limited", 2]);
});

test("takes back what was not made", async () => {
  folded = 98;
  expect(await taken(2, 100)).toBe(true);
  await limit.putBack(tenantId, 1);
  expect([await taken(1, 100), await taken(1, 100)]).toEqual([true, "streams_limited"]);
});

test("is asked anew when counting fails, and lets nobody in", async () => {
  let away = true;
  limit = new StreamLimit({
    clock,
    count: async () => {
      if (away) throw new EventplaneError("unavailable", "Away.");
      return 0;
    },
  });
  expect(await taken(1, 100)).toBe("unavailable");
  await limit.putBack(tenantId, 1);
  away = false;
  expect(await taken(1, 100)).toBe(true);
});
