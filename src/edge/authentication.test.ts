import { beforeEach, describe, expect, test } from "vitest";
import { EventFactory } from "../event/index.js";
import { EventplaneError, PLATFORM_TENANT_ID, systemIds } from "../kernel/index.js";
import { createDoorbell } from "../plane/doorbell/index.js";
import { Allowances, MemoryAllowances } from "../quota/index.js";
import { Coalescer, createMemoryStore, type LogReader } from "../store/index.js";
import { createTestKeys, VirtualClock } from "../testing/index.js";
import { Authentication } from "./authentication.js";
import { issueKey } from "./credentials.js";
import { FailedAttempts } from "./failed-attempts.js";
import { platformApp, principalIdOf, tenantIdOf } from "./platform/definitions.js";
import { PlatformFold } from "./platform/fold.js";
import { TokenVerifier } from "./tokens/token-verifier.js";

const keys = createTestKeys();
const acme = tenantIdOf("acme");
const factory = new EventFactory({ app: platformApp, ids: systemIds });
const causedBy = {
  principal: { type: "system", id: "t" },
  via: "system",
  requestId: "r",
  rulingId: "r",
  policySetHash: "h",
  policies: [],
  edge: "e",
  keyId: keys.edge.keyId,
  at: "2026-01-01T00:00:00.000000Z",
};

let clock: VirtualClock;
let log: Coalescer;
let authentication: Authentication;
let reads: number;
/** What a read waits for. */
let gate: Promise<void>;

beforeEach(async () => {
  clock = new VirtualClock();
  reads = 0;
  gate = Promise.resolve();
  const store = createMemoryStore({ clock });
  const doorbell = createDoorbell();
  const reader: LogReader = {
    ...store.reader,
    read: async (tenantId, query) => {
      reads++;
      await gate;
      return store.reader.read(tenantId, query);
    },
  };
  log = new Coalescer({ appender: store.edge, signer: keys.edge, clock, doorbell });
  const platform = new PlatformFold({ reader, doorbell, clock, verify: (row) => keys.verifier.verify(row) });
  const allowances = new Allowances({
    store: new MemoryAllowances(clock),
    clock,
    report: () => undefined,
    onCall: () => undefined,
  });
  const failures = new FailedAttempts({ allowances, clock, perMinute: 1_000_000, onLimited: () => undefined });
  authentication = new Authentication({
    platform,
    keys: keys.directory,
    clock,
    tokens: new TokenVerifier(new Map(), { clock, report: () => undefined }),
    failures,
    onUse: () => undefined,
  });
  await platform.catchUp();
});

/** Appends a key as another edge would: nothing here hears of it. */
async function makeKey(): Promise<string> {
  const id = systemIds.uuid7();
  const { key, secretHash } = issueKey(id);
  const spec = { tenantId: acme, name: "ci", principalId: principalIdOf(acme, "ci"), grants: ["reader"], secretHash };
  const wanted = { tenantId: PLATFORM_TENANT_ID, type: "key.create", aggregateId: id, spec };
  await log.append({
    tenantId: PLATFORM_TENANT_ID,
    items: [factory.intent({ ...wanted, specText: JSON.stringify(spec) }, causedBy)],
  });
  return `Bearer ${key}`;
}

const outcomeOf = async (header: string): Promise<string> => {
  try {
    return (await authentication.identify({ header, address: "127.0.0.1", sender: {} })).id;
  } catch (error) {
    return error instanceof EventplaneError ? error.code : "foreign";
  }
};

describe("a key", () => {
  test("that is not known yet opens after the round that begins next, and from then on at once", async () => {
    const header = await makeKey();
    expect(authentication.identify({ header, address: "127.0.0.1", sender: {} })).toBeInstanceOf(Promise);
    expect(await outcomeOf(header)).toBe(principalIdOf(acme, "ci"));
    expect(authentication.identify({ header, address: "127.0.0.1", sender: {} })).not.toBeInstanceOf(Promise);
  });

  test("is not decided by a round that began before it was shown", async () => {
    let open: () => void = () => undefined;
    gate = new Promise((resolve) => {
      open = resolve;
    });
    const early = outcomeOf(`Bearer ${issueKey(systemIds.uuid7()).key}`);
    await Promise.resolve();
    const header = await makeKey();
    const late = outcomeOf(header);
    open();
    expect([await early, await late]).toEqual(["unauthenticated", principalIdOf(acme, "ci")]);
  });

  test("of many that are guessed at once costs one read for all", async () => {
    const before = reads;
    const guesses = Array.from({ length: 500 }, () => outcomeOf(`Bearer ${issueKey(systemIds.uuid7()).key}`));
    expect(new Set(await Promise.all(guesses))).toEqual(new Set(["unauthenticated"]));
    expect(reads - before).toBe(1);
  });

  test("is told to come again when 1,000 wait already, and what has no form of a key waits for nobody", async () => {
    gate = new Promise(() => undefined);
    const waiting = Array.from({ length: 1_000 }, () => outcomeOf(`Bearer ${issueKey(systemIds.uuid7()).key}`));
    expect(await outcomeOf(`Bearer ${issueKey(systemIds.uuid7()).key}`)).toBe("busy");
    expect(await outcomeOf("Bearer nonsense")).toBe("unauthenticated");
    await clock.advance(900);
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(["platform_stale"]));
  });

  test("is neither taken nor refused when the round does not end within 900 ms, or fails", async () => {
    gate = Promise.reject(new EventplaneError("unavailable", "Away."));
    gate.catch(() => undefined);
    expect(await outcomeOf(`Bearer ${issueKey(systemIds.uuid7()).key}`)).toBe("platform_stale");
    gate = new Promise(() => undefined);
    const pending = outcomeOf(`Bearer ${issueKey(systemIds.uuid7()).key}`);
    await clock.advance(899);
    expect(await Promise.race([pending, Promise.resolve("waits")])).toBe("waits");
    await clock.advance(1);
    expect(await pending).toBe("platform_stale");
  });
});
