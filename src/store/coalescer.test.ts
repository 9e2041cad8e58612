import { describe, expect, it } from "vitest";
import { eventDigest, leafHash } from "../event/index.js";
import { type ErrorCode, EventplaneError, isEventplaneError, limits, type TenantId } from "../kernel/index.js";
import { createDoorbell } from "../plane/doorbell/index.js";
import {
  appending,
  appendOf,
  createTestSigner,
  creating,
  draftDerived,
  draftIntent,
  newTenantId,
} from "../testing/drafts.js";
import { VirtualClock } from "../testing/virtual-clock.js";
import { Coalescer, type CoalescerCallReport, type CoalescerOptions } from "./coalescer.js";
import { createMemoryStore } from "./memory/memory-store.js";
import type { Append, Appender, AppendOutcome, LogReader, SignedAppend } from "./port.js";

const signer = createTestSigner("edge");
const error = (code: ErrorCode): EventplaneError => new EventplaneError(code, `planned ${code}`);

/** What the appender does with one call: passes it on, commits and throws, throws, or waits for the test. */
type Plan = "pass" | "commit-then-throw" | ErrorCode;

interface Bench {
  readonly coalescer: Coalescer;
  readonly clock: VirtualClock;
  readonly reader: LogReader;
  /** The calls that reached the store. */
  readonly calls: (readonly SignedAppend[])[];
  readonly reports: CoalescerCallReport[];
  readonly rings: [TenantId, number][];
  /** Lets the calls that are held go on. */
  readonly open: () => void;
}

/** A coalescer before a memory store; `plan` decides on each call, `held` makes calls wait for `open`. */
function bench(
  plan: (call: readonly SignedAppend[], number: number) => Plan = () => "pass",
  { held = false, ...options }: { held?: boolean } & Partial<CoalescerOptions> = {},
): Bench {
  const clock = new VirtualClock();
  const store = createMemoryStore({ clock });
  const calls: (readonly SignedAppend[])[] = [];
  const reports: CoalescerCallReport[] = [];
  const rings: [TenantId, number][] = [];
  const doorbell = createDoorbell();
  doorbell.listen((tenantId, position) => rings.push([tenantId, position]));
  let opened = (): void => {};
  let gate: Promise<void> = held ? new Promise((resolve) => (opened = resolve)) : Promise.resolve();
  const appender: Appender = {
    tier: "edge",
    append: async (call) => {
      calls.push(call);
      const what = plan(call, calls.length);
      await gate;
      if (what === "pass") return store.edge.append(call);
      if (what !== "commit-then-throw") throw error(what);
      await store.edge.append(call);
      throw error("unavailable");
    },
  };
  const coalescer = new Coalescer({
    appender,
    signer,
    clock,
    doorbell,
    onCall: (report) => reports.push(report),
    random: () => 1,
    ...options,
  });
  const open = (): void => {
    gate = Promise.resolve();
    opened();
  };
  return { coalescer, clock, reader: store.reader, calls, reports, rings, open };
}

const one = (tenantId: TenantId = newTenantId()): Append => appendOf(creating(draftIntent({ tenantId })));
const many = (count: number, tenantId: TenantId = newTenantId()): readonly Append[] =>
  Array.from({ length: count }, () => one(tenantId));
const idsOf = (appends: readonly Append[]): readonly string[] =>
  appends.flatMap(({ items }) => items.map(({ event }) => event.id));
const settledCodes = async (work: readonly Promise<AppendOutcome>[]): Promise<readonly string[]> =>
  (await Promise.allSettled(work)).map((one) =>
    one.status === "fulfilled" ? one.value.result : isEventplaneError(one.reason) ? one.reason.code : "foreign",
  );

describe("Coalescer: gathering", () => {
  it("sends a lone append at once, without any timer", async () => {
    const { coalescer, clock, calls } = bench();
    expect(await coalescer.append(one())).toMatchObject({ result: "appended" });
    expect([calls.length, clock.sleeping]).toEqual([1, 0]);
  });

  it("gathers what comes while a call of the tenant is in flight into one call, in order of arrival", async () => {
    const { coalescer, calls, open, reader } = bench(undefined, { held: true });
    const tenantId = newTenantId();
    const appends = many(20, tenantId);
    const first = coalescer.append(appends[0] ?? one());
    await Promise.resolve();
    const rest = appends.slice(1).map((append) => coalescer.append(append));
    open();
    await Promise.all([first, ...rest]);
    expect(calls.map((call) => call.length)).toEqual([1, 19]);
    expect((await reader.read(tenantId, {})).map(({ id }) => id)).toEqual(idsOf(appends));
  });

  it("has at most one call of a tenant and four calls in all in flight", async () => {
    const { coalescer, calls, open } = bench(undefined, { held: true });
    const work: Promise<AppendOutcome>[] = [];
    for (let round = 0; round < 6; round++) {
      const tenantId = newTenantId();
      work.push(coalescer.append(one(tenantId)));
      await Promise.resolve();
      work.push(coalescer.append(one(tenantId)));
      await Promise.resolve();
    }
    expect(calls.map((call) => call.length)).toEqual([1, 1, 1, 1]);
    expect(new Set(calls.flatMap((call) => call.map(({ tenantId }) => tenantId))).size).toBe(4);
    open();
    expect(new Set(await settledCodes(work))).toEqual(new Set(["appended"]));
  });

  it("never makes a call larger than its limits", async () => {
    const { coalescer, calls } = bench();
    const work = Array.from({ length: limits.callTenantsMax + 6 }, () => many(30)).flat();
    await Promise.all(work.map((append) => coalescer.append(append)));
    for (const call of calls) {
      expect(call.reduce((sum, { items }) => sum + items.length, 0)).toBeLessThanOrEqual(limits.callEventsMax);
      expect(new Set(call.map(({ tenantId }) => tenantId)).size).toBeLessThanOrEqual(limits.callTenantsMax);
    }
    expect(calls.flat()).toHaveLength(work.length);
  });
});

describe("Coalescer: signing", () => {
  it("signs once for each tenant of a call, and every proof holds", async () => {
    let signatures = 0;
    const counting = {
      ...signer,
      sign: (message: Uint8Array) => {
        signatures += 1;
        return signer.sign(message);
      },
    };
    const { coalescer, calls } = bench(undefined, { signer: counting });
    const appends = [...many(5), ...many(3)];
    await Promise.all(appends.map((append) => coalescer.append(append)));
    expect([calls.length, signatures]).toEqual([1, 2]);
    for (const { items, commitProof, firstLeaf } of calls.flat()) {
      const leaves = Buffer.from(commitProof).subarray(80);
      const leaf = leaves.subarray(firstLeaf * 32, firstLeaf * 32 + 32);
      expect(items.map(({ event }) => leafHash(eventDigest(event)).equals(leaf))).toEqual([true]);
      expect([5, 3]).toContain(leaves.byteLength / 32);
    }
  });

  it("fails the appends that cannot be signed, and goes on", async () => {
    let broken = true;
    const failing = {
      ...signer,
      sign: (message: Uint8Array) => {
        if (broken) throw error("key_unknown");
        return signer.sign(message);
      },
    };
    const { coalescer, calls } = bench(undefined, { signer: failing });
    expect(await settledCodes(many(2).map((append) => coalescer.append(append)))).toEqual([
      "key_unknown",
      "key_unknown",
    ]);
    broken = false;
    expect(await coalescer.append(one())).toMatchObject({ result: "appended" });
    expect(calls).toHaveLength(1);
  });

  it("refuses an append that breaks the rules of its tier, alone", async () => {
    const { coalescer } = bench();
    const derived = appendOf(appending(draftDerived(draftIntent({ tenantId: newTenantId() })), { effect: "derived" }));
    expect(await settledCodes([coalescer.append(derived), coalescer.append(one())])).toEqual(["internal", "appended"]);
  });
});

describe("Coalescer: failures", () => {
  it("sends the identical call again after a lost answer, and tells everybody", async () => {
    const { coalescer, clock, calls, rings, reports } = bench((_, number) =>
      number === 1 ? "commit-then-throw" : "pass",
    );
    const tenantId = newTenantId();
    const work = many(3, tenantId).map((append) => coalescer.append(append));
    await clock.advance(1_000);
    expect(await settledCodes(work)).toEqual(["repeated", "repeated", "repeated"]);
    expect(calls[1]).toBe(calls[0]);
    expect(rings).toEqual([[tenantId, 3]]);
    expect(reports.map(({ result, attempt, events }) => [result, attempt, events])).toEqual([
      ["unavailable", 1, 3],
      ["ok", 2, 3],
    ]);
  });

  it("keeps the order of a tenant while its call is sent again", async () => {
    const { coalescer, clock, reader } = bench((_, number) => (number < 4 ? "unavailable" : "pass"));
    const tenantId = newTenantId();
    const appends = many(4, tenantId);
    const work = [];
    for (const append of appends) {
      work.push(coalescer.append(append));
      await clock.advance(1);
    }
    await clock.advance(5_000);
    await Promise.all(work);
    expect((await reader.read(tenantId, {})).map(({ id }) => id)).toEqual(idsOf(appends));
  });

  it("gives up with unavailable at the deadline", async () => {
    const { coalescer, clock, calls } = bench(() => "unavailable", { resendDeadlineMs: 3_000 });
    const work = settledCodes([coalescer.append(one())]);
    await clock.advance(3_000);
    expect(await work).toEqual(["unavailable"]);
    expect(calls.length).toBeGreaterThan(3);
    expect(clock.sleeping).toBe(0);
  });

  it("finds the culprit of an SQL error: only it fails, the others keep their proofs and their order", async () => {
    const [poisoned, ...tenants] = Array.from({ length: 5 }, newTenantId) as [TenantId, ...TenantId[]];
    const appends = [...many(7, poisoned), ...tenants.flatMap((tenantId) => many(2, tenantId))];
    const culprit = appends[4]?.items[0]?.event.id;
    const { coalescer, calls, reader } = bench((call) => (idsOf(call).includes(culprit ?? "") ? "internal" : "pass"));
    const codes = await settledCodes(appends.map((append) => coalescer.append(append)));
    expect(codes).toEqual(appends.map((_, index) => (index === 4 ? "internal" : "appended")));
    const rows = await reader.read(poisoned, {});
    expect(rows.map(({ id }) => id)).toEqual(idsOf(appends.slice(0, 7)).filter((id) => id !== culprit));
    const offered = new Map(calls[0]?.map((append) => [append.items[0]?.event.id, append]));
    for (const row of rows) {
      expect(row.commitProof).toBe(offered.get(row.id)?.commitProof);
      expect(Buffer.from(row.proof).readUInt16BE(0)).toBe(offered.get(row.id)?.firstLeaf);
    }
    // 1 call of all, 5 of tenants, and at most 2 for each halving of 7.
    expect(calls.length).toBeLessThanOrEqual(1 + 5 + 6);
  });

  it("lets only the tenant whose head is locked be busy", async () => {
    const [locked, free] = [newTenantId(), newTenantId()];
    const { coalescer, calls } = bench((call) => (call.some(({ tenantId }) => tenantId === locked) ? "busy" : "pass"));
    const work = [...many(4, locked), ...many(2, free)].map((append) => coalescer.append(append));
    expect(await settledCodes(work)).toEqual(["busy", "busy", "busy", "busy", "appended", "appended"]);
    expect(calls).toHaveLength(3);
  });

  it("fails everybody of the call when the disk is full, and tries nothing in parts", async () => {
    const { coalescer, calls } = bench(() => "disk_full");
    expect(await settledCodes(many(3).map((append) => coalescer.append(append)))).toEqual([
      "disk_full",
      "disk_full",
      "disk_full",
    ]);
    expect(calls).toHaveLength(1);
  });

  it("fails an append that gets no outcome", async () => {
    const appender: Appender = { tier: "edge", append: async () => [] };
    const coalescer = new Coalescer({ appender, signer, clock: new VirtualClock() });
    expect(await settledCodes([coalescer.append(one())])).toEqual(["internal"]);
  });
});

describe("Coalescer: limits, abort, close", () => {
  it("answers busy when too many appends wait", async () => {
    const { coalescer, open } = bench(undefined, { held: true });
    const append = one();
    const work = Array.from({ length: limits.coalescerQueueMax + 1 }, () => coalescer.append(append));
    expect(coalescer.waiting).toBe(limits.coalescerQueueMax);
    await expect(work.at(-1)).rejects.toMatchObject({ code: "busy", retryable: true });
    open();
    expect(new Set(await settledCodes(work))).toEqual(new Set(["appended", "repeated", "busy"]));
  });

  it("answers busy when too many bytes wait", async () => {
    const { coalescer, open } = bench(undefined, { held: true });
    const tenantId = newTenantId();
    const specText = JSON.stringify({ text: "x".repeat(limits.eventBytesMax) });
    const items = Array.from({ length: 16 }, () => creating(draftIntent({ tenantId, specText })));
    const append = { tenantId, items };
    const work = Array.from({ length: 17 }, () => coalescer.append(append));
    await expect(work.at(-1)).rejects.toMatchObject({ code: "busy" });
    open();
    await Promise.allSettled(work);
  });

  it("leaves nothing of an append that is aborted before it is sent", async () => {
    const { coalescer, reader, open } = bench(undefined, { held: true });
    const tenantId = newTenantId();
    const [first, second, third] = [one(tenantId), one(tenantId), one(tenantId)];
    const work = [coalescer.append(first)];
    await Promise.resolve();
    const controller = new AbortController();
    work.push(coalescer.append(second, controller.signal), coalescer.append(third));
    controller.abort();
    open();
    expect(await settledCodes(work)).toEqual(["appended", "aborted", "appended"]);
    expect((await reader.read(tenantId, {})).map(({ id }) => id)).toEqual(idsOf([first, third]));
    expect(await settledCodes([coalescer.append(one(), controller.signal)])).toEqual(["aborted"]);
  });

  it("answers an abort at once while the call is in flight; the append happens all the same", async () => {
    const { coalescer, reader, open } = bench(undefined, { held: true });
    const append = one();
    const controller = new AbortController();
    const work = coalescer.append(append, controller.signal);
    await Promise.resolve();
    controller.abort();
    expect(await settledCodes([work])).toEqual(["aborted"]);
    open();
    await coalescer.close();
    expect((await reader.head(append.tenantId)).position).toBe(1);
  });

  it("drains on close and takes nothing more", async () => {
    const { coalescer, clock, open } = bench(undefined, { held: true });
    const work = many(5).map((append) => coalescer.append(append));
    const closed = coalescer.close();
    expect(coalescer.close()).toBe(closed);
    expect(await settledCodes([coalescer.append(one())])).toEqual(["unavailable"]);
    open();
    await closed;
    expect(new Set(await settledCodes(work))).toEqual(new Set(["appended"]));
    expect(clock.sleeping).toBe(0);
  });

  it("stops waiting at the deadline of close", async () => {
    const { coalescer, clock } = bench(() => "unavailable", { closeDeadlineMs: 500, resendDeadlineMs: 60_000 });
    const work = settledCodes([coalescer.append(one()), coalescer.append(one())]);
    const closed = coalescer.close();
    await clock.advance(500);
    await closed;
    expect(await work).toEqual(["unavailable", "unavailable"]);
    await clock.advance(1);
    expect(clock.sleeping).toBe(0);
  });

  it("rings once for each tenant of a call, with its last position, and not for what was refused or known", async () => {
    const { coalescer, rings } = bench();
    const [a, b, c] = [newTenantId(), newTenantId(), newTenantId()];
    const known = one(c);
    await coalescer.append(known);
    rings.length = 0;
    const refused = appendOf(appending(draftIntent({ tenantId: b }), { expectedVersion: 9 }));
    await Promise.all([...many(3, a), refused, known].map((append) => coalescer.append(append)));
    expect(rings).toEqual([[a, 3]]);
  });
});
