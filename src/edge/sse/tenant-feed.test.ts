import { afterEach, expect, test } from "vitest";
import type { EventId } from "../../kernel/index.js";
import { subjectErased } from "../../personal/index.js";
import { createDoorbell } from "../../plane/doorbell/index.js";
import { createLogHub, type LogHub } from "../../store/index.js";
import { appending, createTestLog, draftIntent, draftSystemFact, VirtualClock } from "../../testing/index.js";
import type { FrameBatch } from "./frame.js";
import { TenantFeed } from "./tenant-feed.js";

interface Bench {
  readonly feed: TenantFeed;
  readonly log: LogHub;
  /** Appends so many events and waits until the feed has given them out. */
  readonly append: (count: number) => Promise<void>;
  /** Appends `subject.erased`, and waits likewise. */
  readonly erase: () => Promise<void>;
}

const open: Bench[] = [];
afterEach(async () => {
  for (const { feed, log } of open.splice(0)) {
    await feed.close();
    await log.close();
  }
});

async function bench(): Promise<Bench> {
  const clock = new VirtualClock();
  const events = createTestLog(clock);
  const { tenantId } = events;
  const { reader } = events.store;
  const log = createLogHub({ reader, doorbell: createDoorbell(), clock });
  const feed = new TenantFeed(tenantId, {
    reader,
    log,
    clock,
    open: (_tenantId, rows) => rows,
    mayDeliver: () => true,
    report: () => undefined,
  });
  await feed.start();
  await clock.advance(1_000);
  const append = async (count: number): Promise<void> => {
    for (let done = 0; done < count; done++) await events.add(appending(draftIntent({ tenantId })));
    await clock.advance(1_000);
  };
  const erase = async (): Promise<void> => {
    const { type, aggregateId, spec, id } = subjectErased(tenantId, "ada");
    const place = { aggregateType: "subject", aggregateId, id: id as EventId }; // a UUIDv8
    const event = draftSystemFact({ tenantId, type, ...place, specText: JSON.stringify(spec) });
    await events.add({ event, effect: "system", expectedVersion: "any" });
    await clock.advance(1_000);
  };
  const made = { feed, log, append, erase };
  open.push(made);
  return made;
}

const ignore = (): void => undefined;
const positions = (batch: FrameBatch | undefined): number[] | undefined =>
  batch?.frames.map(({ position }) => position);

test("a feed keeps no frame while nobody catches up", async () => {
  const { feed, append } = await bench();
  await append(3);
  expect(feed.position).toBe(3);
  expect(feed.join(2, ignore)).toBeUndefined();
  expect(positions(feed.join(3, ignore))).toEqual([]);
});

test("what comes while somebody catches up is kept until the last one lets go", async () => {
  const { feed, append } = await bench();
  await append(1);
  const letGo = feed.hold();
  const other = feed.hold();
  await append(2);
  expect(feed.join(0, ignore)).toBeUndefined();
  expect(positions(feed.join(1, ignore))).toEqual([2, 3]);
  letGo();
  expect(positions(feed.join(2, ignore))).toEqual([3]);
  other();
  expect(feed.join(2, ignore)).toBeUndefined();
});

test("what was opened before somebody was erased is kept for nobody", async () => {
  const { feed, append, erase } = await bench();
  feed.hold();
  await append(1);
  await erase();
  await append(1);
  expect(feed.join(0, ignore)).toBeUndefined();
  expect(feed.join(1, ignore)).toBeUndefined();
  expect(positions(feed.join(2, ignore))).toEqual([3]);
});
