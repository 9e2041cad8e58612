import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { EventRow } from "../event/index.js";
import { type Doorbell, EventplaneError, isEventplaneError, limits, type TenantId } from "../kernel/index.js";
import { createDoorbell } from "../plane/doorbell/index.js";
import { appending, appendOf, createTestSigner, draftIntent, newTenantId, signAppend } from "../testing/drafts.js";
import { VirtualClock } from "../testing/virtual-clock.js";
import { createMemoryStore } from "./memory/memory-store.js";
import type { LogReader, ReadQuery } from "./port.js";
import { subscribe } from "./subscribe.js";
import type { SubscriptionItem } from "./subscription.js";
import { createLogHub, type LogHub } from "./subscription-hub.js";

const signer = createTestSigner("edge");

interface Bench {
  readonly clock: VirtualClock;
  readonly hub: LogHub;
  readonly doorbell: Doorbell;
  readonly reader: LogReader;
  readonly tenantId: TenantId;
  /** Queries that reached the store. */
  readonly reads: ReadQuery[];
  /** Listeners of the doorbell. */
  readonly listening: () => number;
  /** Appends so many events of this type, and rings unless told not to. */
  readonly append: (count: number, options?: { type?: string; ring?: boolean }) => Promise<void>;
}

/** A hub over a memory store; `change` sees every page that the reader gives, and may throw. */
function bench(change: (page: readonly EventRow[], query: ReadQuery) => readonly EventRow[] = (page) => page): Bench {
  const clock = new VirtualClock();
  const store = createMemoryStore({ clock });
  const tenantId = newTenantId();
  const plain = createDoorbell();
  const reads: ReadQuery[] = [];
  let listeners = 0;
  const doorbell: Doorbell = {
    ...plain,
    listen: (...args) => {
      listeners += 1;
      const stop = plain.listen(...args);
      return () => {
        listeners -= 1;
        stop();
      };
    },
  };
  const reader: LogReader = {
    ...store.reader,
    read: async (tenant, query) => {
      reads.push(query);
      return change(await store.reader.read(tenant, query), query);
    },
  };
  const append: Bench["append"] = async (count, { type = "organization.create", ring = true } = {}) => {
    const call = Array.from({ length: count }, () =>
      signAppend(signer, appendOf(appending(draftIntent({ tenantId, type })))),
    );
    for (let from = 0; from < count; from += 1000) await store.edge.append(call.slice(from, from + 1000));
    if (ring) doorbell.ring(tenantId, (await store.reader.head(tenantId)).position);
  };
  const hub = createLogHub({ reader, doorbell, clock });
  return { clock, hub, doorbell, reader, tenantId, reads, listening: () => listeners, append };
}

/** Collects what a subscription gives, in the background. */
function collect(items: AsyncIterable<SubscriptionItem>): {
  readonly items: SubscriptionItem[];
  readonly done: Promise<unknown>;
} {
  const seen: SubscriptionItem[] = [];
  const done = (async () => {
    for await (const item of items) seen.push(item);
  })().catch((error: unknown) => error);
  return { items: seen, done };
}

const positions = (items: readonly SubscriptionItem[]): readonly number[] =>
  items.flatMap((item) => (item.type === "event" ? [item.event.position] : []));
const upTo = (end: number, from = 1): readonly number[] =>
  Array.from({ length: end - from + 1 }, (_, index) => from + index);
const bookmarks = (items: readonly SubscriptionItem[]): readonly number[] =>
  items.flatMap((item) => (item.type === "bookmark" ? [item.position] : []));

describe("subscription: order", () => {
  it("gives the past, then what is appended, without gap or repetition", async () => {
    const { hub, tenantId, append, clock } = bench();
    await append(250);
    const { items } = collect(hub.subscribe(tenantId, { after: 0 }));
    await append(30);
    await clock.advance(0);
    for (let round = 0; round < 5; round++) {
      await append(7);
      await clock.advance(0);
    }
    expect(positions(items)).toEqual(upTo(315));
    expect(bookmarks(items)).toEqual([]);
    await hub.close();
  });

  it("begins now without a position, and says where that is", async () => {
    const { hub, tenantId, append, clock } = bench();
    await append(5);
    const { items } = collect(hub.subscribe(tenantId));
    await clock.advance(0);
    await append(2);
    await clock.advance(0);
    expect(items[0]).toEqual({ type: "bookmark", position: 5 });
    expect(positions(items)).toEqual([6, 7]);
    await hub.close();
  });

  it("finds by polling what nobody rang for", async () => {
    const { hub, tenantId, append, clock } = bench();
    const { items } = collect(hub.subscribe(tenantId, { after: 0 }));
    await clock.advance(0);
    await append(3, { ring: false });
    await clock.advance(249);
    expect(positions(items)).toEqual([]);
    await clock.advance(1);
    expect(positions(items)).toEqual([1, 2, 3]);
    await hub.close();
  });

  it("gives what a ring announces although the read before it had begun", async () => {
    let ringing = (): void => {};
    const { hub, tenantId, append, clock, doorbell } = bench((page) => {
      ringing();
      return page;
    });
    const { items } = collect(hub.subscribe(tenantId, { after: 0 }));
    await clock.advance(0);
    await append(1, { ring: false });
    // The second event is appended and rung while the page with the first is on its way.
    let once = true;
    ringing = () => {
      if (once) void append(1);
      once = false;
    };
    doorbell.ring(tenantId, 1);
    await clock.advance(0);
    expect(positions(items)).toEqual([1, 2]);
    await hub.close();
  });

  it("gives the same as a read with the same filter, whatever is appended when", async () => {
    const step = fc.oneof(
      fc.record({ append: fc.integer({ min: 1, max: 40 }), type: fc.constantFrom("organization.a", "organization.b") }),
      fc.record({ take: fc.integer({ min: 1, max: 30 }) }),
      fc.record({ pass: fc.integer({ min: 0, max: 300 }) }),
    );
    const filters = [undefined, { type: "organization.a" }, {}];
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.constantFrom(...filters), async (steps, filter) => {
        const { hub, tenantId, append, clock, reader } = bench();
        await append(50);
        const iterator = hub.subscribe(tenantId, { after: 20, ...(filter && { filter }) })[Symbol.asyncIterator]();
        const items: SubscriptionItem[] = [];
        let pending: Promise<unknown> | undefined;
        const take = (): void => {
          pending ??= iterator.next().then(({ value, done }) => {
            if (!done) items.push(value);
            pending = undefined;
          });
        };
        for (const one of steps) {
          if ("append" in one) await append(one.append, { type: one.type, ring: one.append % 2 === 0 });
          if ("pass" in one) await clock.advance(one.pass);
          for (let count = 0; "take" in one && count < one.take; count++) {
            take();
            await Promise.race([pending, new Promise(setImmediate)]);
          }
        }
        const expected = await reader.read(tenantId, { after: 20, limit: 1000, ...(filter && { filter }) });
        for (let turn = 0; turn < 2_000 && positions(items).length < expected.length; turn++) {
          take();
          await clock.advance(250);
        }
        expect(positions(items)).toEqual(expected.map(({ position }) => position));
        await hub.close();
        await pending;
      }),
      { numRuns: 40 },
    );
  });

  it("refuses a position behind the end of the log", async () => {
    const { hub, tenantId, append } = bench();
    await append(3);
    const { done } = collect(hub.subscribe(tenantId, { after: 4 }));
    expect(isEventplaneError(await done, "request_invalid")).toBe(true);
    const atEnd = collect(hub.subscribe(tenantId, { after: 3 }));
    await hub.close();
    expect(await atEnd.done).toBeUndefined();
  });
});

describe("subscription: bookmarks", () => {
  it("come at least every 5 s with a filter, also when nothing happens", async () => {
    const { hub, tenantId, append, clock } = bench();
    await append(3);
    const { items } = collect(hub.subscribe(tenantId, { after: 0, filter: { type: "organization.other" } }));
    for (let round = 1; round <= 4; round++) {
      await clock.advance(limits.bookmarkIntervalMs);
      expect(bookmarks(items).length).toBeGreaterThanOrEqual(round);
    }
    expect(new Set(bookmarks(items))).toEqual(new Set([3]));
    await hub.close();
  });

  it("come at least every 1,000 positions with a filter, live and in the past", async () => {
    const { hub, tenantId, append, clock, reads } = bench();
    await append(2_500, { type: "organization.other" });
    const { items } = collect(hub.subscribe(tenantId, { after: 0, filter: { type: "organization.create" } }));
    await clock.advance(0);
    expect(bookmarks(items)).toEqual([1_000, 2_000]);
    // No read looks for something rare in the whole log.
    const widths = reads
      .filter(({ filter }) => filter !== undefined)
      .map(({ after = 0, before = 1e9 }) => before - after - 1);
    expect(widths).toEqual([1_000, 1_000, 500]);
    for (let round = 0; round < 3; round++) {
      await append(999, { type: "organization.other" });
      await append(1);
      await clock.advance(0);
    }
    expect(positions(items)).toEqual([3_500, 4_500, 5_500]);
    expect(bookmarks(items)).toEqual([1_000, 2_000, 3_000, 4_000, 5_000]);
    await hub.close();
  });

  it("never come without a filter", async () => {
    const { hub, tenantId, append, clock } = bench();
    await append(3_000);
    const { items } = collect(hub.subscribe(tenantId, { after: 0, filter: {} }));
    await clock.advance(60_000);
    expect(items.every(({ type }) => type === "event")).toBe(true);
    await hub.close();
  });
});

describe("subscription: back-pressure and sharing", () => {
  it("reads nothing for a consumer that is busy, and lets it catch up when it fell behind the tail", async () => {
    const { hub, tenantId, append, clock, reads } = bench();
    const iterator = hub.pages(tenantId, { after: 0 })[Symbol.asyncIterator]();
    await append(1);
    const first = await iterator.next();
    expect(first.value).toHaveLength(1);
    await append(9_000);
    await clock.advance(1_000);
    const before = reads.length;
    await clock.advance(1_000);
    expect(reads.slice(before).every(({ after }) => after === 9_001)).toBe(true);
    const seen: number[] = [];
    while (seen.length < 9_000) {
      const { value, done } = await iterator.next();
      if (done) break;
      expect(value.length).toBeLessThanOrEqual(limits.readPageMax);
      seen.push(...positions(value));
    }
    expect(seen).toEqual(upTo(9_001, 2));
    await iterator.return?.();
    await hub.close();
  });

  it("reads every new page once for hundreds of subscribers of a tenant", async () => {
    const { hub, tenantId, append, clock, reads, listening } = bench();
    const all = Array.from({ length: 300 }, () => collect(hub.subscribe(tenantId)));
    await clock.advance(0);
    const before = reads.length;
    for (let round = 0; round < 10; round++) {
      await append(5);
      await clock.advance(0);
    }
    expect(reads.length - before).toBeLessThanOrEqual(20);
    expect(listening()).toBe(1);
    for (const { items } of all) expect(positions(items)).toEqual(upTo(50));
    // One object for all, so that its text is made once.
    expect(new Set(all.map(({ items }) => items.at(-1))).size).toBe(1);
    await hub.close();
    await Promise.all(all.map(({ done }) => done));
  });
});

describe("subscription: ends and failures", () => {
  it("ends cleanly at an abort, in the past, live and before it began, and leaves nothing behind", async () => {
    const { hub, tenantId, append, clock, listening } = bench();
    await append(500);
    const controller = new AbortController();
    const live = collect(hub.subscribe(tenantId, { signal: controller.signal }));
    const past: number[] = [];
    await clock.advance(0);
    for await (const item of hub.subscribe(tenantId, { after: 0, signal: controller.signal })) {
      past.push(...positions([item]));
      if (past.length === 150) controller.abort();
    }
    expect(past.length).toBeLessThan(500);
    expect(await live.done).toBeUndefined();
    expect(await collect(hub.subscribe(tenantId, { signal: controller.signal })).done).toBeUndefined();
    await clock.advance(1);
    expect([clock.sleeping, listening()]).toEqual([0, 0]);
  });

  it("ends at an abort that comes while the shared tail is reading", async () => {
    const controller = new AbortController();
    let abortNow = false;
    const { hub, tenantId, append, clock, listening } = bench((page) => {
      if (abortNow) controller.abort();
      return page;
    });
    const { done } = collect(hub.subscribe(tenantId, { signal: controller.signal }));
    await clock.advance(0);
    abortNow = true;
    await append(1);
    await clock.advance(0);
    expect(await done).toBeUndefined();
    expect([clock.sleeping, listening()]).toEqual([0, 0]);
    await hub.close();
  });

  it("leaves nothing behind when the consumer breaks off", async () => {
    const { reader, doorbell, clock, tenantId, append, listening } = bench();
    await append(3);
    for await (const item of subscribe({ reader, doorbell, clock }, tenantId, { after: 0, pollMs: 50 })) {
      if (item.type === "event" && item.event.position === 3) break;
    }
    await clock.advance(1);
    expect([clock.sleeping, listening()]).toEqual([0, 0]);
  });

  for (const [place, count] of [
    ["in the past", 20],
    ["live", 0],
  ] as const) {
    it(`stops with event_corrupt at a gap ${place}`, async () => {
      const { hub, tenantId, append, clock } = bench((page) => page.filter(({ position }) => position !== 7));
      await append(count);
      const { items, done } = collect(hub.subscribe(tenantId, { after: 0 }));
      await clock.advance(0);
      await append(20);
      await clock.advance(1_000);
      expect(await done).toMatchObject({ code: "event_corrupt", details: { tenantId, position: 6, found: 8 } });
      expect(positions(items)).toEqual(count === 0 ? upTo(6) : []);
      await hub.close();
    });
  }

  it("stops with event_corrupt when the end of the past is missing", async () => {
    const { hub, tenantId, append, clock } = bench((page) => page.filter(({ position }) => position < 15));
    await append(20);
    const { items, done } = collect(hub.subscribe(tenantId, { after: 0 }));
    await clock.advance(0);
    expect(await done).toMatchObject({ code: "event_corrupt", details: { position: 14, found: 20 } });
    expect(positions(items)).toEqual([]);
  });

  it("waits through an outage of the store and goes on where it was", async () => {
    let out = false;
    const { hub, tenantId, append, clock } = bench((page) => {
      if (out) throw new EventplaneError("unavailable", "planned");
      return page;
    });
    const { items } = collect(hub.subscribe(tenantId, { after: 0 }));
    await append(3);
    await clock.advance(0);
    out = true;
    await append(3);
    await clock.advance(20_000);
    expect(positions(items)).toEqual([1, 2, 3]);
    out = false;
    await clock.advance(2_000);
    expect(positions(items)).toEqual(upTo(6));
    await hub.close();
  });

  it("ends with unavailable when the outage lasts, and the next subscription works again", async () => {
    let out = false;
    const { hub, tenantId, append, clock, listening } = bench((page) => {
      if (out) throw new EventplaneError("unavailable", "planned");
      return page;
    });
    await append(1);
    const all = [collect(hub.subscribe(tenantId)), collect(hub.subscribe(tenantId))];
    await clock.advance(0);
    out = true;
    await clock.advance(40_000);
    for (const { done } of all) expect(isEventplaneError(await done, "unavailable")).toBe(true);
    expect([clock.sleeping, listening()]).toEqual([0, 0]);
    out = false;
    const { items } = collect(hub.subscribe(tenantId, { after: 0 }));
    await clock.advance(0);
    expect(positions(items)).toEqual([1]);
    await hub.close();
  });
});
