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
  limit.putBack(tenantId, 1);
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
  limit.putBack(tenantId, 1);
  away = false;
  expect(await taken(1, 100)).toBe(true);
});

test("those who come while it is counted go by one count, so that they do not pass the limit together", async () => {
  const all = async (): Promise<unknown[]> => Promise.all(Array.from({ length: 100 }, () => taken(1, 10)));
  expect((await all()).filter((each) => each === true)).toHaveLength(10);
  folded = 5;
  await clock.advance(10_000);
  expect((await all()).filter((each) => each === true)).toHaveLength(5);
  expect(counts).toBe(2);
});

test("what is put back after a new count makes no room beyond the limit", async () => {
  folded = 5;
  expect(await taken(5, 10)).toBe(true);
  await clock.advance(10_000);
  folded = 10;
  expect(await taken(1, 10)).toBe("streams_limited");
  limit.putBack(tenantId, 5);
  expect(await taken(1, 10)).toBe("streams_limited");
});
