import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClient, type EventplaneClient } from "../src/client/index.js";
import { isEventplaneError, PLATFORM_TENANT_ID, type TenantId } from "../src/kernel/index.js";
import { type DeadLetter, deadLetterId } from "../src/work/index.js";
import {
  answerOf,
  call,
  type EdgeFixture,
  eventually,
  type FixtureTenant,
  refusalsIn,
  startEdge,
} from "./support/edge-fixture.js";

let edge: EdgeFixture;
let admin: EventplaneClient["admin"];
let acme: FixtureTenant;
const letters: DeadLetter[] = [];

beforeAll(async () => {
  edge = await startEdge({ deadLetters: letters });
  acme = await edge.tenant("acme");
  admin = createClient({ baseUrl: edge.url, apiKey: edge.adminKey }).admin;
});
afterAll(() => edge.close());

const codeOf = (promise: Promise<unknown>): Promise<string | undefined> =>
  promise.then(
    () => undefined,
    (error: unknown) => (isEventplaneError(error) ? error.code : "foreign"),
  );
const platformHead = async (): Promise<number> => (await edge.reader.head(PLATFORM_TENANT_ID)).position;

describe("tenants", () => {
  test("are created once: the same slug again finds the same tenant and writes nothing", async () => {
    const first = await admin.createTenant({ slug: "globex" });
    const before = await platformHead();
    const [again, atOnce] = await Promise.all([
      admin.createTenant({ slug: "globex" }),
      admin.createTenant({ slug: "globex" }),
    ]);
    expect([first.created, again.created, atOnce.created]).toEqual([true, false, false]);
    expect([again.id, atOnce.id]).toEqual([first.id, first.id]);
    expect(await platformHead()).toBe(before);
    expect((await admin.tenants()).map(({ slug }) => slug)).toEqual(["acme", "globex"]);
  });

  test("do not take a slug that is none, nor the platform's", async () => {
    for (const slug of ["platform", "Acme", "", "a/b", "x".repeat(64)])
      expect(await codeOf(admin.createTenant({ slug }))).toBe("request_invalid");
  });

  test("are the platform's affair: a tenant's own admin administers only its own keys", async () => {
    const own = await edge.tenant("ownadmin", ["admin"]);
    const client = createClient({ baseUrl: edge.url, apiKey: own.key }).admin;
    const { id } = await client.createKey("ownadmin", { name: "ci", grants: ["reader"] });
    expect((await client.keys("ownadmin")).map((key) => key.id)).toEqual([own.keyId, id]);
    expect(await codeOf(client.createTenant({ slug: "mine" }))).toBe("forbidden");
    expect(await codeOf(client.tenants())).toBe("forbidden");
    expect(await codeOf(client.keys("acme"))).toBe("forbidden");
    expect(await codeOf(client.createKey("acme", { name: "spy", grants: ["reader"] }))).toBe("forbidden");
    expect(await codeOf(client.revokeKey("acme", acme.keyId))).toBe("forbidden");
    await eventually(
      async () => (await refusalsIn(edge.reader, own.id)).find(({ code }) => code === "forbidden"),
      "the refusal",
    );
  });
});

describe("keys", () => {
  test("work at once, show their secret once, and only their hash is in the log", async () => {
    const { id, key } = await admin.createKey("acme", { name: "reader", grants: ["reader"] });
    expect((await fetch(`${edge.url}/v1/tenants/acme/events`, call(key))).status).toBe(200);
    expect(
      (await fetch(`${edge.url}/v1/tenants/acme/intents`, call(key, { body: { type: "note.create" } }))).status,
    ).toBe(403);
    const rows = await edge.reader.read(PLATFORM_TENANT_ID, { limit: 1_000 });
    expect(JSON.stringify(rows.map((row) => [row.specText, row.causedByText]))).not.toContain(key.slice(-43));
    const shown = await fetch(`${edge.url}/v1/admin/tenants/acme/keys/${id}`, call(edge.adminKey));
    const text = await shown.text();
    expect(JSON.parse(text)).toMatchObject({
      id,
      name: "reader",
      grants: ["reader"],
      expiresAt: null,
      revokedAt: null,
    });
    expect(text).not.toMatch(/secret|hash/i);
  });

  test("of the same name are the same principal, so rotation changes no idempotency", async () => {
    const wish = { name: "rotated", grants: ["publisher"] as const };
    const [first, second] = [await admin.createKey("acme", wish), await admin.createKey("acme", wish)];
    const publish = (key: string): Promise<Response> =>
      fetch(
        `${edge.url}/v1/tenants/acme/intents`,
        call(key, { body: { type: "note.create" }, headers: { "idempotency-key": "order-1" } }),
      );
    const [one, two] = [await publish(first.key), await publish(second.key)];
    expect([one.status, two.status]).toEqual([201, 200]);
    expect((await answerOf(two)).id).toBe((await answerOf(one)).id);
  });

  test("are rotated: the new one is the same principal with the same limits, and the old one ends after the overlap", async () => {
    const limits = { scopes: ["note.*"], networks: ["127.0.0.0/8"] };
    const old = await admin.createKey("acme", { name: "turning", grants: ["publisher", "reader"], ...limits });
    const publish = (key: string): Promise<Response> =>
      fetch(
        `${edge.url}/v1/tenants/acme/intents`,
        call(key, { body: { type: "note.create" }, headers: { "idempotency-key": "turn-1" } }),
      );
    const first = await publish(old.key);
    const rotated = await admin.rotateKey("acme", old.id, { overlapSeconds: 1 });
    const [again, byOld] = [await publish(rotated.key), await publish(old.key)];
    expect([first.status, again.status, byOld.status]).toEqual([201, 200, 200]);
    expect((await answerOf(again)).id).toBe((await answerOf(first)).id);
    await eventually(async () => ((await publish(old.key)).status === 401 ? true : undefined), "the old one ends");
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(rotated.replacedEndsAt));
    expect((await publish(rotated.key)).status).toBe(200);
    const listed = new Map((await admin.keys("acme")).map((each) => [each.id, each]));
    expect(listed.get(old.id)).toMatchObject({
      replacedBy: rotated.id,
      expiresAt: rotated.replacedEndsAt,
      revokedAt: null,
    });
    expect(listed.get(rotated.id)).toMatchObject({
      replaces: old.id,
      name: "turning",
      grants: ["publisher", "reader"],
      ...limits,
    });
    expect(await codeOf(admin.rotateKey("acme", old.id))).toBe("key_ended");
    expect(await codeOf(admin.rotateKey("globex", rotated.id))).toBe("not_found");
    const rows = await edge.reader.readStream(PLATFORM_TENANT_ID, { aggregateType: "key", aggregateId: old.id });
    expect(rows.map(({ type }) => type)).toEqual(["key.create", "key.rotate"]);
    expect(JSON.parse(rows[1]?.causedByText ?? "")).toMatchObject({ principal: { type: "service" }, via: "http" });
  });

  test("are rotated once by the same Idempotency-Key, by two at once too, and not with an overlap that is none", async () => {
    const { id } = await admin.createKey("acme", { name: "twice", grants: ["reader"] });
    const rotate = (body: object, headers: Record<string, string> = {}): Promise<Response> =>
      fetch(`${edge.url}/v1/admin/tenants/acme/keys/${id}/rotate`, call(edge.adminKey, { body, headers }));
    const headers = { "idempotency-key": "turn" };
    const made = await rotate({ overlapSeconds: 60 }, headers);
    const again = await rotate({ overlapSeconds: 60 }, headers);
    const other = await rotate({ overlapSeconds: 61 }, headers);
    expect([made.status, again.status, other.status]).toEqual([201, 200, 422]);
    const [first, repeated] = [await answerOf(made), await answerOf(again)];
    expect([repeated.id, repeated.key]).toEqual([first.id, undefined]);
    for (const overlapSeconds of [-1, 0.5, 2_592_001, "1"]) {
      const refused = await rotate({ overlapSeconds });
      expect([refused.status, (await answerOf(refused)).pointers]).toEqual([422, ["/overlapSeconds"]]);
    }
    const race = await Promise.all([rotate({}), rotate({})]);
    expect(race.map(({ status }) => status).sort((a, b) => a - b)[0]).toBe(201);
    expect(race.every(({ status }) => status === 201 || status === 409)).toBe(true);
  });

  test("with an Idempotency-Key are made once; the repeat has no secret, another wish is refused", async () => {
    const headers = { "idempotency-key": "ci-key" };
    const post = (body: object): Promise<Response> =>
      fetch(`${edge.url}/v1/admin/tenants/acme/keys`, call(edge.adminKey, { body, headers }));
    const [first, again, other] = [
      await post({ name: "idem", grants: ["reader"] }),
      await post({ name: "idem", grants: ["reader"] }),
      await post({ name: "idem", grants: ["admin"] }),
    ];
    const [created, repeated] = [await answerOf(first), await answerOf(again)];
    expect([first.status, again.status, other.status]).toEqual([201, 200, 422]);
    expect(repeated).toEqual({ id: created.id });
  });

  test("are revoked again and again with one event, refused within a second, and stay listed", async () => {
    const { id, key } = await admin.createKey("acme", { name: "leaked", grants: ["reader"] });
    await admin.revokeKey("acme", id);
    const before = await platformHead();
    await Promise.all([admin.revokeKey("acme", id), admin.revokeKey("acme", id)]);
    expect(await platformHead()).toBe(before);
    expect((await fetch(`${edge.url}/v1/tenants/acme/events`, call(key))).status).toBe(401);
    expect((await admin.keys("acme")).find((each) => each.id === id)?.revokedAt).not.toBeNull();
    expect(await codeOf(admin.revokeKey("globex", id))).toBe("not_found");
  });

  test("expire", async () => {
    const { key } = await admin.createKey("acme", {
      name: "old",
      grants: ["reader"],
      expiresAt: "2020-01-01T00:00:00Z",
    });
    expect((await fetch(`${edge.url}/v1/tenants/acme/events`, call(key))).status).toBe(401);
  });

  test.each([
    ["no grants", { name: "x", grants: [] }],
    ["an unknown grant", { name: "x", grants: ["root"] }],
    ["no name", { grants: ["reader"] }],
    ["a bad expiry", { name: "x", grants: ["reader"], expiresAt: "tomorrow" }],
    ["a leap second as expiry", { name: "x", grants: ["reader"], expiresAt: "2026-12-31T23:59:60Z" }],
    ["a space in the expiry", { name: "x", grants: ["reader"], expiresAt: "2026-12-31 23:59:59Z" }],
    ["an expiry that cannot be stored", { name: "x", grants: ["reader"], expiresAt: "9999-12-31T23:59:59Z" }],
    ["a chosen secret", { name: "x", grants: ["reader"], secretHash: "A".repeat(43) }],
  ])("with %s are refused and nothing is written", async (_name, body) => {
    const before = await platformHead();
    const response = await fetch(`${edge.url}/v1/admin/tenants/acme/keys`, call(edge.adminKey, { body }));
    expect(response.status).toBe(422);
    const added = await edge.reader.read(PLATFORM_TENANT_ID, { after: before });
    expect(added.filter(({ kind }) => kind === "intent")).toEqual([]);
    expect((await fetch(`${edge.url}/readyz`)).status).toBe(200);
  });
});

describe("dead letters", () => {
  const letterOf = (tenantId: TenantId): DeadLetter => {
    const key = { tenantId, aggregateType: "organization", aggregateId: "acme", component: "billing" };
    return {
      ...key,
      id: deadLetterId(key),
      resource: { aggregateType: "organization", aggregateId: "acme" },
      attempts: 5,
      failure: { code: "Error", message: "No." },
      codeVersion: "v1",
      waiting: 0,
      generation: 1,
      since: "2026-01-01T00:00:00.000000Z",
    };
  };

  test("are shown to admins, and each decision is a fact in the tenant's log", async () => {
    const letter = letterOf(acme.id);
    letters.push(letter);
    expect(await admin.deadLetters({ tenant: "acme" })).toEqual([letter]);
    expect(await admin.deadLetter(letter.id, { tenant: "acme" })).toEqual(letter);
    await admin.redrive(letter.id, { tenant: "acme" });
    await admin.discard(letter.id, { tenant: "acme" });
    const rows = await edge.reader.readStream(acme.id, { aggregateType: "dead-letter", aggregateId: letter.id });
    expect(rows.map(({ type }) => type)).toEqual(["dead-letter.redriven", "dead-letter.discarded"]);
    expect(JSON.parse(rows[0]?.specText ?? "")).toEqual({
      aggregateType: "organization",
      aggregateId: "acme",
      component: "billing",
    });
  });

  test("of others are neither shown nor decided", async () => {
    const letter = letterOf(acme.id);
    const stranger = createClient({ baseUrl: edge.url, apiKey: (await edge.tenant("stranger", ["admin"])).key }).admin;
    expect(await stranger.deadLetters()).toEqual([]);
    expect(await codeOf(stranger.deadLetters({ tenant: "acme" }))).toBe("forbidden");
    expect(await codeOf(stranger.redrive(letter.id, { tenant: "acme" }))).toBe("forbidden");
    expect(await codeOf(stranger.redrive(letter.id))).toBe("not_found");
    expect(await codeOf(createClient({ baseUrl: edge.url, apiKey: acme.key }).admin.deadLetters())).toBe("forbidden");
  });
});
