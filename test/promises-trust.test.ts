/** P6 to P9 of docs/guarantees.md, each end to end on one plane: HTTP in front, PostgreSQL behind. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClient } from "../src/client/index.js";
import type { CausedBy, EventRow } from "../src/event/index.js";
import { isEventplaneError, type JsonObject, PLATFORM_TENANT_ID, systemIds } from "../src/kernel/index.js";
import { appendOf, createTestSigner, creating, draftIntent, signAppend, testDone } from "../src/testing/index.js";
import { create, inPhase, PlaneFixture, type PlaneTenant, until } from "./support/plane-fixture.js";

/** Everything that controllers were given, as text. */
const given: string[] = [];
let isBroken = true;
let plane: PlaneFixture;
let acme: PlaneTenant;

beforeAll(async () => {
  plane = await PlaneFixture.open({
    quota: (context) => {
      given.push(JSON.stringify(context));
      return testDone({ members: 3 });
    },
    billing: ({ resource }) => {
      if (resource.aggregateId === "broken" && isBroken) throw new Error("broken on purpose");
      return testDone();
    },
  });
  acme = await plane.tenant("acme");
});
afterAll(() => plane.close());

/** A key that another edge made is known within a poll. */
const ifUnknown = (error: unknown): undefined => {
  if (!isEventplaneError(error, "unauthenticated")) throw error;
};
const stampOf = (row: EventRow): CausedBy => JSON.parse(row.causedByText) as CausedBy; // a stored stamp
const specOf = (row: EventRow): JsonObject => JSON.parse(row.specText) as JsonObject; // a stored spec

describe("P6", () => {
  test("the edge alone says who asked: stamps are its own, signed, and hidden from controllers", async () => {
    const { admin } = createClient({ baseUrl: plane.url, apiKey: plane.adminKey });
    const [key] = await admin.keys("acme");
    const stamp = { principal: { type: "service", id: "somebody-else" } };
    const forged = { type: "organization.create", aggregateId: "p6", spec: {}, causedBy: stamp };
    await expect(acme.client.publish(forged)).rejects.toMatchObject({ code: "forbidden_field" });
    await create(acme, "p6");
    await inPhase(acme, "p6", "Ready");
    const verifier = await plane.verifier();
    const rows = (await plane.log(acme.id)).filter(({ aggregateId }) => aggregateId === "p6");
    expect(rows.map(({ kind }) => kind)).toEqual(["intent", "fact", "fact", "fact"]);
    for (const row of rows) {
      verifier.verify(row);
      expect(stampOf(row).principal.id).toBe(key?.principalId);
    }
    expect(given.length).toBeGreaterThan(0);
    for (const text of [key?.principalId ?? "none", "principal", "causedBy"])
      expect(given.join("\n")).not.toContain(text);
  });

  test("a row alone proves nothing: what a stolen database role adds wakes no controller", async () => {
    const unknown = draftIntent({
      tenantId: acme.id,
      aggregateId: "unknown-signer",
      finalizersText: '{"quota":{"completed":false,"observedGeneration":0}}',
    });
    const wrongTier = draftIntent({ tenantId: acme.id, aggregateId: "wrong-tier" });
    const stolen = [
      signAppend(createTestSigner("edge"), appendOf(creating(unknown))),
      signAppend(plane.signer("runtime"), appendOf(creating(wrongTier))),
    ];
    expect((await plane.installation.edge.append(stolen)).map(({ result }) => result)).toEqual([
      "appended",
      "appended",
    ]);
    await create(acme, "after-it");
    await inPhase(acme, "after-it", "Ready");
    const log = await plane.log(acme.id);
    for (const name of ["unknown-signer", "wrong-tier"]) {
      expect(log.filter(({ aggregateId }) => aggregateId === name)).toHaveLength(1);
      expect(given.join("\n")).not.toContain(name);
    }
  });
});

describe("P7", () => {
  test("derived events inherit who, why and whose, and have ids that only their decision gives", async () => {
    const intent = await create(acme, "p7");
    await inPhase(acme, "p7", "Ready");
    const [first, ...derived] = (await plane.log(acme.id)).filter(({ aggregateId }) => aggregateId === "p7");
    expect(derived).toHaveLength(3);
    for (const row of derived) {
      const inherited = [row.tenantId, row.correlationId, row.causationId, row.causedByText];
      expect(inherited).toEqual([acme.id, intent.correlationId, intent.id, first?.causedByText]);
    }
    const [one] = derived;
    if (one === undefined) throw new Error("there is a derived event");
    const again = signAppend(plane.signer("runtime"), {
      tenantId: acme.id,
      items: [{ event: one, effect: "derived", expectedVersion: one.version - 1 }],
    });
    const [outcome] = await plane.installation.runtime.append([again]);
    expect(outcome).toMatchObject({ result: "repeated", receipts: [{ id: one.id, position: one.position }] });
    const occupied = {
      id: one.id.replace(/^./, (digit) => (digit === "0" ? "1" : "0")),
      type: "organization.create",
      spec: {},
    };
    await expect(acme.client.publish(occupied)).rejects.toMatchObject({ code: "request_invalid" });
    const byRole = draftIntent({ tenantId: acme.id, id: occupied.id as EventRow["id"] }); // a UUIDv5, as derived events have
    await expect(
      plane.installation.edge.append([signAppend(plane.signer("edge"), appendOf(creating(byRole)))]),
    ).rejects.toMatchObject({ code: "internal" });
  });

  test("delivering the whole log again to the controllers adds nothing", async () => {
    const healthy = await plane.tenant("healthy");
    for (let n = 0; n < 10; n++) await create(healthy, `org-${n}`);
    for (let n = 0; n < 10; n++) await inPhase(healthy, `org-${n}`, "Ready");
    await plane.idle(healthy.id);
    const before = await plane.log(healthy.id);
    expect(before).toHaveLength(40);
    await plane.stop();
    await plane.installation.asSuperuser("delete from eventplane.work where tenant_id = $1", [healthy.id]);
    await plane.installation.asSuperuser("delete from eventplane.cursors where consumer = 'work' and tenant_id = $1", [
      healthy.id,
    ]);
    given.length = 0;
    await plane.start();
    await plane.idle(healthy.id);
    expect(given.length).toBeGreaterThanOrEqual(10);
    expect((await plane.log(healthy.id)).map(({ hash }) => hash)).toEqual(before.map(({ hash }) => hash));
  });
});

describe("P8", () => {
  test("tenants, keys, refusals, dead letters and redrives change by events that say who", async () => {
    const { admin } = createClient({ baseUrl: plane.url, apiKey: plane.adminKey });
    const { id, created } = await admin.createTenant({ slug: "p8" });
    const { id: keyId, key } = await admin.createKey("p8", { name: "p8", grants: ["publisher", "reader"] });
    const client = plane.client("p8", key);
    await client.publish({ type: "organization.create", aggregateId: "broken", spec: {} });
    await expect(plane.client("acme", key).readPage()).rejects.toMatchObject({ code: "forbidden" });
    const [letter] = await until("a dead letter", async () => {
      const found = await admin.deadLetters({ tenant: "p8" });
      return found.length > 0 ? found : undefined;
    });
    isBroken = false;
    await admin.redrive(letter?.id ?? "", { tenant: "p8" });
    const log = async (): Promise<readonly EventRow[]> => plane.log(id as typeof acme.id); // a tenant's id
    await until("ready", async () => (await log()).find(({ type }) => type === "organization.ready"));
    await admin.revokeKey("p8", keyId);
    const platform = (await plane.log(PLATFORM_TENANT_ID)).filter(
      ({ aggregateId }) => aggregateId === id || aggregateId === keyId,
    );
    expect(created).toBe(true);
    expect(platform.filter(({ kind }) => kind === "intent").map(({ type }) => type)).toEqual([
      "tenant.create",
      "key.create",
      "key.revoke",
    ]);
    const own = await log();
    expect(own.map(({ type }) => type)).toEqual(
      expect.arrayContaining([
        "organization.create",
        "refusal.recorded",
        "organization.dead-lettered",
        "dead-letter.redriven",
        "organization.ready",
      ]),
    );
    expect(own.filter(({ type }) => type === "refusal.recorded").map((row) => specOf(row).code)).toEqual(["forbidden"]);
    for (const row of [...platform, ...own]) expect(stampOf(row).principal.id).not.toBe("");
    const schemas = (await plane.log(PLATFORM_TENANT_ID)).filter(({ type }) => type === "schema.registered");
    expect(schemas.map((row) => specOf(row).type)).toEqual([
      "organization.create",
      "organization.change-plan",
      "organization.delete",
    ]);
  });
});

describe("P9", () => {
  test("two planes on one database decide everything exactly once", async () => {
    const both = await plane.tenant("both");
    const second = await plane.start();
    const other = createClient({ baseUrl: second.url, tenant: "both", apiKey: both.key });
    await until("the second plane to know the key", () => other.resources("organization").next().catch(ifUnknown));
    const names = Array.from({ length: 40 }, (_, n) => `org-${n}`);
    const intents = names.map((aggregateId) => ({
      id: systemIds.uuid7(),
      type: "organization.create",
      aggregateId,
      spec: {},
    }));
    const results = await Promise.all([both.client.publishMany(intents), other.publishMany(intents)]);
    expect(results.flat().filter(({ result }) => result === "created")).toHaveLength(40);
    for (const name of names) await inPhase(both, name, "Ready");
    await plane.idle(both.id);
    const log = await plane.log(both.id);
    for (const name of names) {
      const types = log.filter(({ aggregateId }) => aggregateId === name).map(({ type }) => type);
      expect(types.toSorted()).toEqual([
        "organization.create",
        "organization.create.billing",
        "organization.create.quota",
        "organization.ready",
      ]);
    }
  });
});
