/** Policies of tenants over HTTP: applied by events, in force at once, within their own tenant alone. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClient, type EventplaneClient, type PolicyClient, type RulingExplanation } from "../src/client/index.js";
import { isEventplaneError, PLATFORM_TENANT_ID } from "../src/kernel/index.js";
import {
  type Answer,
  call,
  type EdgeFixture,
  eventually,
  type FixtureTenant,
  startEdge,
} from "./support/edge-fixture.js";
import { edgeStores } from "./support/edge-stores.js";

const policy = (id: string, rest: string): string => `@id("${id}")\n${rest};\n`;
const wide = policy("wide", "permit (principal, action, resource)");
const nobodyReads = policy("nobody-reads", 'forbid (principal, action == Eventplane::Action::"Read", resource)');
const codeOf = (promise: Promise<unknown>): Promise<string | undefined> =>
  promise.then(
    () => undefined,
    (error: unknown) => (isEventplaneError(error) ? error.code : "foreign"),
  );

describe.each(edgeStores)("policies over %s", (_name, open) => {
  let edge: EdgeFixture;
  let close: () => Promise<void>;
  let platform: PolicyClient;
  let platformClient: EventplaneClient["admin"];

  beforeAll(async () => {
    const store = await open();
    edge = await startEdge({ store });
    close = async () => {
      await edge.close();
      await store.close();
    };
    platformClient = createClient({ baseUrl: edge.url, apiKey: edge.adminKey }).admin;
    platform = platformClient.policies;
  });
  afterAll(() => close());

  const clientOf = ({ key: apiKey, slug: tenant }: FixtureTenant): EventplaneClient =>
    createClient({ baseUrl: edge.url, apiKey, tenant, attemptsMax: 1 });
  const statusOf = async (key: string, path: string, init: Parameters<typeof call>[1] = {}): Promise<number> =>
    (await fetch(`${edge.url}${path}`, call(key, init))).status;

  test("begin with none, and are applied in versions, each an event that says who", async () => {
    const own = await edge.tenant("versions", ["admin", "reader"]);
    const client = clientOf(own).admin.policies;
    const before = await client.get();
    expect(before).toMatchObject({ tenantId: own.id, version: 0, text: "", appliedAt: null });
    const first = await client.apply({ text: nobodyReads }, { follows: 0 });
    expect(first).toMatchObject({ version: 1, text: nobodyReads, warnings: [] });
    expect(first.policySetHash).not.toBe(before.policySetHash);
    const second = await client.apply({ text: "" }, { follows: 1 });
    expect([second.version, second.policySetHash]).toEqual([2, before.policySetHash]);
    const third = await client.apply({ version: 1 }, { follows: 2 });
    expect([third.version, third.policySetHash]).toEqual([3, first.policySetHash]);
    const versions = await client.versions();
    expect(versions.map(({ version, restores }) => [version, restores])).toEqual([
      [3, 1],
      [2, undefined],
      [1, undefined],
    ]);
    expect(await client.version(1)).toMatchObject({ version: 1, text: nobodyReads });
    expect(await codeOf(client.version(9))).toBe("not_found");
    const [row] = await edge.reader.readByIds(PLATFORM_TENANT_ID, [versions[0]?.eventId ?? ""]);
    expect(JSON.parse(row?.causedByText ?? "{}")).toMatchObject({
      keyId: own.keyId,
      policies: ["admins-administer-their-tenant"],
      policySetHash: second.policySetHash,
    });
  });

  test("are applied once: again the same is the same version, and what follows another is 412", async () => {
    const own = await edge.tenant("once", ["admin"]);
    const client = clientOf(own).admin.policies;
    const wishes = [client.apply({ text: wide }, { follows: 0 }), client.apply({ text: wide }, { follows: 0 })];
    expect((await Promise.all(wishes)).map(({ version }) => version)).toEqual([1, 1]);
    expect(await codeOf(client.apply({ text: nobodyReads }, { follows: 0 }))).toBe("wrong_expected_generation");
    const body = { text: nobodyReads };
    const headers = { "if-match": '"0"' };
    expect(await statusOf(own.key, "/v1/admin/policies", { method: "PUT", body, headers })).toBe(412);
    expect(await statusOf(own.key, "/v1/admin/policies", { method: "PUT", body })).toBe(400);
    expect(await statusOf(own.key, "/v1/admin/policies", { method: "PUT", body: { version: "1" }, headers })).toBe(400);
  });

  test("that are wrong are refused with every place, and change nothing", async () => {
    const own = await edge.tenant("wrong", ["admin"]);
    const client = clientOf(own).admin.policies;
    const text = `${policy("one", "permit (principal, action, resource) when { principal.grant }")}${policy("two", "permit (principal)")}`;
    const error = await client.apply({ text }, { follows: 0 }).catch((cause: unknown) => cause);
    if (!isEventplaneError(error, "policy_invalid")) throw error;
    expect(error.details["problems"]).toEqual([
      expect.stringMatching(/^2:\d+ one: .*grant/),
      expect.stringMatching(/^4:\d+ two: /),
    ]);
    expect((await client.get()).version).toBe(0);
  });

  test("narrow: a forbid takes what a grant gives, at once, and leaves it to others", async () => {
    const own = await edge.tenant("narrow", ["reader", "publisher"]);
    const other = await edge.tenant("other", ["reader"]);
    expect(await statusOf(own.key, "/v1/tenants/narrow/events")).toBe(200);
    await platform.apply({ text: nobodyReads }, { follows: 0, tenant: "narrow" });
    expect(await statusOf(own.key, "/v1/tenants/narrow/events")).toBe(403);
    expect(await statusOf(other.key, "/v1/tenants/other/events")).toBe(200);
    const spec = { name: "x", plan: "team", region: "eu" };
    const body = { type: "organization.create", spec };
    expect(await statusOf(own.key, "/v1/tenants/narrow/intents", { body })).toBe(201);
  });

  test("attack: a permit of everything gives everything in the own tenant and nothing beyond it", async () => {
    const own = await edge.tenant("greedy", ["reader"]);
    const victim = await edge.tenant("victim", ["reader", "publisher"]);
    await platform.apply({ text: wide }, { follows: 0, tenant: "greedy" });
    const body = { type: "organization.create", spec: { name: "x", plan: "team", region: "eu" } };
    expect(await statusOf(own.key, "/v1/tenants/greedy/intents", { body })).toBe(201);
    expect(await statusOf(own.key, "/v1/admin/tenants/greedy/keys")).toBe(200);
    const routes: readonly (readonly [string, Parameters<typeof call>[1]])[] = [
      ["/v1/tenants/victim/events", {}],
      ["/v1/tenants/victim/subscribe", {}],
      ["/v1/tenants/victim/intents", { body }],
      ["/v1/tenants/platform/events", {}],
      ["/v1/tenants/platform/intents", { body: { type: "tenant.create", spec: { slug: "mine" } } }],
      ["/v1/admin/tenants", {}],
      ["/v1/admin/tenants", { body: { slug: "mine" } }],
      ["/v1/admin/tenants/victim/keys", {}],
      ["/v1/admin/tenants/victim/keys", { body: { name: "mine", grants: ["reader"] } }],
      ["/v1/admin/tenants/platform/keys", { body: { name: "mine", grants: ["admin"] } }],
      ["/v1/admin/policies?tenant=victim", {}],
      ["/v1/admin/policies?tenant=platform", { method: "PUT", body: { text: wide }, headers: { "if-match": '"0"' } }],
      ["/v1/admin/dead-letters?tenant=victim", {}],
      ["/v1/admin/projections?tenant=victim", {}],
      ["/v1/admin/projections/any/across-tenants?table=t", {}],
      ["/v1/admin/effects?tenant=victim", {}],
      ["/v1/admin/replays?tenant=victim", {}],
      ["/v1/admin/controllers?tenant=victim", {}],
    ];
    for (const [path, init] of routes) expect([path, await statusOf(own.key, path, init)]).toEqual([path, 403]);
    expect(await statusOf(victim.key, "/v1/tenants/greedy/events")).toBe(403);
  });

  test("attack: a policy cannot be taken for one of the base, and the base's forbids stand", async () => {
    const own = await edge.tenant("dressed", ["admin"]);
    const client = clientOf(own).admin.policies;
    const text = policy("tenants-stay-apart", "permit (principal, action, resource)");
    await client.apply({ text }, { follows: 0 });
    expect(await statusOf(own.key, "/v1/tenants/platform/events")).toBe(403);
    const body = { type: "organization.create", spec: { name: "x", plan: "team", region: "eu" } };
    const response = await fetch(`${edge.url}/v1/tenants/dressed/intents`, call(own.key, { body }));
    const { id } = (await response.json()) as { readonly id: string }; // a receipt
    const [row] = await edge.reader.readByIds(own.id, [id]);
    expect(JSON.parse(row?.causedByText ?? "{}")).toMatchObject({ policies: ["tenant/tenants-stay-apart"] });
  });

  test("cannot be taken from whoever applies them, and never from the platform", async () => {
    const own = await edge.tenant("locked", ["admin"]);
    const client = clientOf(own).admin.policies;
    const out = policy("out", "forbid (principal, action, resource)");
    expect(await codeOf(client.apply({ text: out }, { follows: 0 }))).toBe("policy_locks_out");
    expect(await codeOf(platform.apply({ text: out }, { follows: 0 }))).toBe("policy_locks_out");
    await platform.apply({ text: out }, { follows: 0, tenant: "locked" });
    expect(await codeOf(client.get())).toBe("forbidden");
    expect((await platform.get({ tenant: "locked" })).version).toBe(1);
    await platform.apply({ text: "" }, { follows: 1, tenant: "locked" });
    expect((await client.get()).version).toBe(2);
  });

  test("give a part of the administration: whoever may look at dead letters makes no keys", async () => {
    const own = await edge.tenant("parts", ["reader"]);
    const text = policy(
      "support",
      `permit (principal, action == Eventplane::Action::"Administer", resource)
       when { principal.grants.contains("reader") && resource has area && resource.area == "dead-letters" }`,
    );
    await platform.apply({ text }, { follows: 0, tenant: "parts" });
    expect(await statusOf(own.key, "/v1/admin/dead-letters")).toBe(200);
    const wish = { body: { name: "more", grants: ["admin"] } };
    expect(await statusOf(own.key, "/v1/admin/tenants/parts/keys", wish)).toBe(403);
    expect(await statusOf(own.key, "/v1/admin/policies")).toBe(403);
  });

  test("give single types: the others of a list are refused in their place, and stamps name what allowed each", async () => {
    const own = await edge.tenant("types", ["reader"]);
    const text = policy(
      "notes-only",
      `permit (principal, action == Eventplane::Action::"PublishIntent", resource)
       when { resource has type && resource.type == "note.create" }`,
    );
    await platform.apply({ text }, { follows: 0, tenant: "types" });
    const note = { type: "note.create", spec: {} };
    const change = { type: "note.change", aggregateId: "n", spec: {} };
    const unknown = { type: "nothing.create", spec: {} };
    const body = { intents: [note, change, unknown, 7] };
    const response = await fetch(`${edge.url}/v1/tenants/types/intents`, call(own.key, { body }));
    const { results } = (await response.json()) as Answer;
    const codes = results.map(({ result, problem }) => (result === "refused" ? problem.code : result));
    expect([response.status, ...codes]).toEqual([200, "created", "forbidden", "forbidden", "forbidden"]);
    for (const each of [change, unknown]) {
      expect(await statusOf(own.key, "/v1/tenants/types/intents", { body: each })).toBe(403);
      expect(await statusOf(own.key, "/v1/tenants/types/intents", { body: { intents: [each, each] } })).toBe(403);
    }
    const atomic = { intents: [note, change], atomic: true };
    expect(await statusOf(own.key, "/v1/tenants/types/intents", { body: atomic })).toBe(403);
    const rows = await edge.reader.read(own.id, {});
    const made = rows.filter(({ kind }) => kind === "intent");
    expect(made.map(({ type, causedByText }) => [type, JSON.parse(causedByText).policies])).toEqual([
      ["note.create", ["tenant/notes-only"]],
    ]);
    const refused = await eventually(
      async () => (await edge.reader.read(own.id, { filter: { type: "refusal.recorded" } }))[0],
      "the refusal",
    );
    expect(JSON.parse(refused.specText)).toMatchObject({ code: "forbidden", resource: "type:note.change" });
  });

  test("give one aggregate to read: its resources, streams and events, and not the whole log", async () => {
    const own = await edge.tenant("aggregates", ["publisher"]);
    const text = policy(
      "notes-only",
      `permit (principal, action in [Eventplane::Action::"Read", Eventplane::Action::"Subscribe"], resource)
       when { resource has aggregateType && resource.aggregateType == "note" }`,
    );
    await platform.apply({ text }, { follows: 0, tenant: "aggregates" });
    const base = "/v1/tenants/aggregates";
    const readable = [`${base}/resources/note`, `${base}/events?aggregateType=note`];
    for (const path of readable) expect([path, await statusOf(own.key, path)]).toEqual([path, 200]);
    expect(await statusOf(own.key, `${base}/streams/note/n`)).toBe(404);
    const hidden = [
      `${base}/events`,
      `${base}/events?type=note.create`,
      `${base}/events?aggregateType=door`,
      `${base}/events?aggregateType=note&aggregateType=door`,
      `${base}/resources/organization`,
      `${base}/streams/door/n?aggregateType=note`,
      `${base}/subscribe`,
      `${base}/traces/0190c7c2-8c1e-7c0e-9d4b-2f6f3f0b7a11?aggregateType=note`,
    ];
    for (const path of hidden) expect([path, await statusOf(own.key, path)]).toEqual([path, 403]);
  });

  test("are tried on the rulings of the log before they are in force: who would lose what, who would gain it", async () => {
    const own = await edge.tenant("tried", ["publisher", "reader", "admin"]);
    const client = clientOf(own);
    const [{ principalId } = { principalId: "none" }] = await client.admin.keys("tried");
    for (let n = 0; n < 3; n++) await client.publish({ type: "note.create", spec: {} });
    await client.publish({ type: "door.create", spec: { locked: false } });
    const poor = await platformClient.createKey("tried", { name: "poor", grants: ["subscriber"] });
    expect(await statusOf(poor.key, "/v1/tenants/tried/resources/note")).toBe(403);
    const refusal = async (): Promise<string | undefined> =>
      (await edge.reader.read(own.id, { filter: { type: "refusal.recorded" } }))[0]?.id;
    await eventually(refusal, "the refusal");
    const text =
      policy(
        "no-notes",
        'forbid (principal, action, resource) when { resource has type && resource.type == "note.create" }',
      ) + policy("all-read", 'permit (principal, action == Eventplane::Action::"Read", resource)');
    const report = await client.admin.policies.test(text);
    expect(report).toMatchObject({ policies: ["no-notes", "all-read"], warnings: [], rulings: 3, unknown: 0 });
    expect(report.events).toBe(5);
    const said = report.changes.map(({ action, resource, before, after, events, principal }) =>
      [principal.grants.join("+"), action, resource, before.decision, after.decision, ...after.policies, events].join(
        " ",
      ),
    );
    expect(said.sort()).toEqual([
      "publisher+reader+admin PublishIntent type:note.create allow deny tenant/no-notes 3",
      "subscriber Read aggregate:note deny allow tenant/all-read 1",
    ]);
    expect(report.changes.some(({ principal }) => principal.id === principalId)).toBe(true);
    expect((await client.admin.policies.get()).version).toBe(0);
    expect((await client.admin.policies.test("")).changes).toEqual([]);
    expect(await codeOf(client.admin.policies.test("permit;"))).toBe("policy_invalid");
    expect(await codeOf(client.admin.policies.test("", { tenant: "greedy" }))).toBe("forbidden");
  });

  test("explain every ruling from the log: of an intent, of a refusal, of an old version, of an administrator", async () => {
    const own = await edge.tenant("explained", ["publisher", "admin"]);
    const client = clientOf(own);
    const explain = (id: string): Promise<RulingExplanation> => client.admin.policies.explain(id);
    const [key] = await client.admin.keys("explained");
    const first = await client.publish({ type: "note.create", spec: {} });
    const explained = await explain(first.id);
    expect(explained).toMatchObject({
      eventId: first.id,
      question: {
        principal: { type: "service", id: key?.principalId, tenantId: own.id, grants: ["publisher", "admin"] },
        action: "PublishIntent",
        tenantId: own.id,
        resource: "type:note.create",
      },
      decision: "allow",
      decidedBy: [{ id: "publishers-publish", text: expect.stringContaining("permit") }],
      platformVersion: 0,
      tenantVersion: 0,
      note: null,
    });
    expect(explained.unexplained).toBeUndefined();
    const text = policy(
      "no-doors",
      'forbid (principal, action, resource) when { resource has type && resource.type == "door.create" }',
    );
    await client.admin.policies.apply({ text }, { follows: 0 });
    const denied = { type: "door.create", spec: { locked: true } };
    expect(await codeOf(client.publish(denied))).toBe("forbidden");
    const ofType = async (type: string): Promise<string | undefined> =>
      (await edge.reader.read(own.id, { filter: { type }, direction: "backwards", limit: 1 }))[0]?.id;
    const refusalId = await eventually(() => ofType("refusal.recorded"), "the refusal");
    await client.admin.policies.apply({ text: "" }, { follows: 1 });
    // By now another version is in force; the refusal is explained by the one of then, under its own id and its ruling's.
    const refusal = await explain(refusalId);
    const byRuling = await explain(refusal.recorded.rulingId);
    for (const each of [refusal, byRuling])
      expect(each).toMatchObject({
        eventId: refusalId,
        question: { action: "PublishIntent", resource: "type:door.create" },
        decision: "deny",
        decidedBy: [{ id: "tenant/no-doors", text: expect.stringContaining("door.create") }],
        tenantVersion: 1,
        note: null,
      });
    // The ruling on the first intent is still found under its own id.
    expect(await explain(explained.recorded.rulingId)).toMatchObject({ eventId: first.id, tenantVersion: 0 });
    expect(await codeOf(client.publish({ ...denied, spec: { locked: 1 } }))).toBe("schema_violation");
    const schemaRefusal = await eventually(async () => {
      const id = await ofType("refusal.recorded");
      return id === refusalId ? undefined : id;
    }, "the other refusal");
    expect(await explain(schemaRefusal)).toMatchObject({
      decision: "allow",
      note: expect.stringContaining("refused as schema_violation"),
    });
    const [version] = await client.admin.policies.versions();
    const applied = await platform.explain(version?.eventId ?? "", { tenant: "platform" });
    expect(applied).toMatchObject({
      question: { action: "Administer", tenantId: own.id, resource: "area:policies" },
      decision: "allow",
      tenantVersion: 1,
    });
    expect(await codeOf(explain("0190c7c2-8c1e-7c0e-9d4b-2f6f3f0b7a11"))).toBe("not_found");
    expect(await codeOf(clientOf(await edge.tenant("stranger", ["admin"])).admin.policies.explain(first.id))).toBe(
      "not_found",
    );
  });

  test("say clearly what they cannot explain", async () => {
    const rows = await edge.reader.read(PLATFORM_TENANT_ID, { filter: { type: "signing-key.introduced" } });
    const system = await platform.explain(rows[0]?.id ?? "", { tenant: "platform" });
    expect(system.unexplained).toMatch(/plane did this itself/);
    expect(system.decision).toBeUndefined();
  });

  test("cut an open subscription within a second, with the reason", async () => {
    const own = await edge.tenant("open", ["subscriber"]);
    const failed = (async () => {
      for await (const _ of clientOf(own).subscribe()) continue;
    })().then(
      () => undefined,
      (error: unknown) => ({ error, atMs: performance.now() }),
    );
    await eventually(() => (edge.edge.subscriptions.size > 0 ? true : undefined), "a connection");
    const text = policy("quiet", 'forbid (principal, action == Eventplane::Action::"Subscribe", resource)');
    await platform.apply({ text }, { follows: 0, tenant: "open" });
    const appliedMs = performance.now();
    const outcome = await failed;
    expect(isEventplaneError(outcome?.error, "forbidden")).toBe(true);
    expect((outcome?.atMs ?? 0) - appliedMs).toBeLessThan(1_000);
  });

  test("of the platform rule on all tenants", async () => {
    const own = await edge.tenant("everyone", ["reader", "subscriber"]);
    const { version } = await platform.get();
    await platform.apply({ text: nobodyReads }, { follows: version });
    expect(await statusOf(own.key, "/v1/tenants/everyone/events")).toBe(403);
    await platform.apply({ text: "" }, { follows: version + 1 });
    expect(await statusOf(own.key, "/v1/tenants/everyone/events")).toBe(200);
  });
});
