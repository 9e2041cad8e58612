import { beforeEach, describe, expect, test } from "vitest";
import { EventFactory } from "../../event/index.js";
import { EventplaneError, type JsonObject, PLATFORM_TENANT_ID, systemIds } from "../../kernel/index.js";
import { createDoorbell } from "../../plane/doorbell/index.js";
import { Coalescer, createMemoryStore, type LogReader } from "../../store/index.js";
import { createTestKeys, VirtualClock } from "../../testing/index.js";
import { issueKey } from "../credentials.js";
import { createTenantIntentId, isTenantSlug, platformApp, principalIdOf, tenantIdOf } from "./definitions.js";
import { PlatformFold } from "./fold.js";
import { isKeyUsable } from "./key-book.js";

const keys = createTestKeys();
const acme = tenantIdOf("acme");

let clock: VirtualClock;
let reader: LogReader;
let log: Coalescer;
let fold: PlatformFold;
let away: boolean;

beforeEach(() => {
  clock = new VirtualClock();
  away = false;
  const store = createMemoryStore({ clock });
  const doorbell = createDoorbell();
  reader = {
    ...store.reader,
    read: (tenantId, query) =>
      away ? Promise.reject(new EventplaneError("unavailable", "Away.")) : store.reader.read(tenantId, query),
  };
  log = new Coalescer({ appender: store.edge, signer: keys.edge, clock, doorbell });
  fold = new PlatformFold({ reader, doorbell, clock, verify: (row) => keys.verifier.verify(row) });
});

const factory = new EventFactory({ app: platformApp, ids: systemIds });

async function intend(type: string, aggregateId: string, spec: JsonObject): Promise<void> {
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
  const item = factory.intent(
    { tenantId: PLATFORM_TENANT_ID, type, aggregateId, spec, specText: JSON.stringify(spec) },
    causedBy,
  );
  await log.append({ tenantId: PLATFORM_TENANT_ID, items: [item] });
}

const keySpec = (more: JsonObject = {}): JsonObject => ({
  tenantId: acme,
  name: "ci",
  principalId: principalIdOf(acme, "ci"),
  grants: ["reader"],
  secretHash: issueKey(systemIds.uuid7()).secretHash,
  ...more,
});

describe("the fold of the platform log", () => {
  test("knows tenants by id and slug, and keys with their grants, expiry and revocation", async () => {
    await intend("tenant.create", acme, { slug: "acme" });
    const [live, expiring, revoked] = [systemIds.uuid7(), systemIds.uuid7(), systemIds.uuid7()];
    await intend("key.create", live, keySpec());
    await intend("key.create", expiring, keySpec({ expiresAt: "2026-01-01T00:00:01Z" }));
    await intend("key.create", revoked, keySpec());
    await intend("key.revoke", revoked, {});
    await fold.catchUp();
    expect(fold.state.tenant("acme")).toBe(fold.state.tenant(acme));
    const usable = (id: string): boolean => {
      const key = fold.state.key(id);
      return key !== undefined && isKeyUsable(key, clock.nowUs());
    };
    expect([live, expiring, revoked].map(usable)).toEqual([true, true, false]);
    await clock.advance(1_000);
    expect([live, expiring, revoked].map(usable)).toEqual([true, false, false]);
    expect(fold.state.keysOf(acme)).toHaveLength(3);
  });

  test("goes on after a key whose expiry nobody can read, which nobody can use", async () => {
    const [unreadable, next] = [systemIds.uuid7(), systemIds.uuid7()];
    await intend("key.create", unreadable, keySpec({ expiresAt: "2026-12-31T23:59:60Z" }));
    await intend("key.create", next, keySpec());
    await fold.catchUp();
    const usable = fold.state.keysOf(acme).map((key) => isKeyUsable(key, clock.nowUs()));
    expect(usable).toEqual([false, true]);
  });

  test("refuses when its last round that reached the end began more than 900 ms ago", async () => {
    expect(() => fold.fresh()).toThrow(expect.objectContaining({ code: "platform_stale" }));
    await fold.catchUp();
    await clock.advance(900);
    expect(fold.isFresh).toBe(true);
    await clock.advance(1);
    expect(() => fold.fresh()).toThrow(expect.objectContaining({ code: "platform_stale", retryable: true }));
  });

  test("follows by itself, stays fresh, turns stale when the store is away and fresh again after", async () => {
    const stop = new AbortController();
    const running = fold.run(stop.signal);
    await clock.advance(5_000);
    expect(fold.isFresh).toBe(true);
    away = true;
    await clock.advance(1_200);
    expect([fold.isFresh, fold.failure instanceof EventplaneError]).toEqual([false, true]);
    away = false;
    await clock.advance(300);
    expect([fold.isFresh, fold.failure]).toEqual([true, undefined]);
    await intend("tenant.create", acme, { slug: "acme" });
    await clock.advance(0);
    expect(fold.state.tenant("acme")?.id).toBe(acme);
    stop.abort();
    await running;
  });

  test("takes nothing that is not proven, and says that it is stale", async () => {
    const strangers = createTestKeys();
    const other = new PlatformFold({
      reader,
      doorbell: createDoorbell(),
      clock,
      verify: (row) => strangers.verifier.verify(row),
    });
    await intend("tenant.create", acme, { slug: "acme" });
    await expect(other.catchUp()).rejects.toMatchObject({ code: "key_unknown" });
    expect([other.state.tenant("acme"), other.isFresh]).toEqual([undefined, false]);
  });
});

describe("slugs", () => {
  test("are lower case, of 2 to 63 characters, and not the platform's", () => {
    expect(["acme", "a1", "a-b", `a${"b".repeat(62)}`].map(isTenantSlug)).toEqual([true, true, true, true]);
    const wrong = ["platform", "a", "Acme", "1a", "a_b", "a.b", `a${"b".repeat(63)}`, "", "acme\n", 7, null];
    expect(wrong.filter(isTenantSlug)).toEqual([]);
  });

  test("give the same tenant and the same intent everywhere", () => {
    expect(tenantIdOf("acme")).toBe("564c1e44-2533-8c71-9bb1-536d4230628e");
    expect(createTenantIntentId("acme")).not.toBe(createTenantIntentId("acmf"));
  });
});
