import { beforeEach, describe, expect, test } from "vitest";
import { EventFactory } from "../../event/index.js";
import { EventplaneError, systemIds } from "../../kernel/index.js";
import { createDoorbell } from "../../plane/doorbell/index.js";
import { Coalescer, createMemoryStore, type LogReader } from "../../store/index.js";
import { createTestKeys, VirtualClock } from "../../testing/index.js";
import { platformApp, tenantIdOf } from "../platform/definitions.js";
import { StreamTokenLog } from "./stream-token-log.js";

const keys = createTestKeys();
const acme = tenantIdOf("acme");
const ruling = { allowed: true, rulingId: "r", policySetHash: "h", policies: ["p"] };
const keyId = systemIds.uuid7();
const principal = { type: "service", id: "p", tenantId: acme, grants: new Set<"reader">(["reader"]), keyId };

let clock: VirtualClock;
let reader: LogReader;
let away: boolean;
let failures: number;
let log: StreamTokenLog;

beforeEach(() => {
  clock = new VirtualClock();
  away = false;
  failures = 0;
  const store = createMemoryStore({ clock });
  ({ reader } = store);
  const coalescer = new Coalescer({ appender: store.edge, signer: keys.edge, clock, doorbell: createDoorbell() });
  log = new StreamTokenLog({
    factory: new EventFactory({ app: platformApp, ids: systemIds }),
    log: {
      append: (append) =>
        away ? Promise.reject(new EventplaneError("unavailable", "Away.")) : coalescer.append(append),
    },
    clock,
    edge: "edge-1",
    report: () => void failures++,
  });
});

const note = (aggregateId: string): Promise<void> =>
  log.note({
    principal,
    limits: { actions: ["subscribe"], part: { aggregateType: "note", aggregateId } },
    ruling,
    requestId: "q",
  });

const told = async (): Promise<readonly { count: number; limits: readonly unknown[] }[]> =>
  (await reader.read(acme, { limit: 1_000 })).map(
    (row) => JSON.parse(row.specText) as { count: number; limits: readonly unknown[] }, // as the log writes it
  );

describe("stream tokens", () => {
  test("are told of at once by the first of a minute, and by one sum for all that follow", async () => {
    await note("0");
    expect((await told()).map(({ count }) => count)).toEqual([1]);
    for (let n = 0; n < 500; n++) await note(String(n % 30));
    expect((await told()).length).toBe(1);
    await clock.advance(60_000);
    log.sweep();
    await log.close();
    expect((await told()).map(({ count, limits }) => [count, limits.length])).toEqual([
      [1, 1],
      [500, 20],
    ]);
  });

  test("that are made without end are one fact a minute", async () => {
    for (let second = 0; second < 240; second++) {
      await note(String(second));
      await clock.advance(1_000);
      log.sweep();
    }
    await log.close();
    const counts = (await told()).map(({ count }) => count);
    expect(counts.length).toBeLessThanOrEqual(6);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(240);
  });

  test("of the next minute begin anew when nobody made any in one", async () => {
    await note("a");
    await clock.advance(60_000);
    log.sweep();
    await note("b");
    expect((await told()).map(({ count }) => count)).toEqual([1, 1]);
  });

  test("are not given out when the first cannot be written, and sums are kept until they can", async () => {
    away = true;
    await expect(note("a")).rejects.toMatchObject({ code: "unavailable" });
    away = false;
    await note("a");
    await note("b");
    away = true;
    await log.close();
    expect([failures, (await told()).length]).toEqual([1, 1]);
    away = false;
    await log.close();
    expect((await told()).map(({ count }) => count)).toEqual([1, 1]);
  });
});
