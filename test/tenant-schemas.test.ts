/** Types that tenants register themselves, over HTTP: versions in the platform's log, in force at once, within their own tenant alone. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClient, type EventplaneClient } from "../src/client/index.js";
import { type JsonObject, limits, PLATFORM_TENANT_ID } from "../src/kernel/index.js";
import { type EdgeFixture, eventually, type FixtureTenant, refusalsIn, startEdge } from "./support/edge-fixture.js";
import { edgeStores } from "./support/edge-stores.js";

const type = "x-order.placed";
const order = (more: JsonObject = {}): JsonObject => ({
  type: "object",
  properties: { total: { type: "integer", minimum: 0 }, ...more },
  required: ["total"],
});

describe.each(edgeStores)("types of tenants over %s", (_name, open) => {
  let edge: EdgeFixture;
  let close: () => Promise<void>;

  beforeAll(async () => {
    const store = await open();
    edge = await startEdge({ store });
    close = async () => {
      await edge.close();
      await store.close();
    };
  });
  afterAll(() => close());

  const clientOf = ({ key: apiKey, slug: tenant }: FixtureTenant, baseUrl = edge.url): EventplaneClient =>
    createClient({ baseUrl, apiKey, tenant, attemptsMax: 1 });
  const all = ["publisher", "reader", "admin"] as const;

  test("are unknown until they are registered, then taken, checked and stored with their version", async () => {
    const client = clientOf(await edge.tenant("first", all));
    await expect(client.publish({ type, spec: { total: 1 } })).rejects.toMatchObject({ code: "unknown_type" });
    const registered = await client.registerSchema(type, 1, { schema: order() });
    expect(registered).toMatchObject({ type, schemaVersion: 1, schema: { additionalProperties: false } });
    expect(await client.schema(type, 1)).toEqual(registered);
    expect((await client.schemas()).map((each) => each.type)).toContain(type);
    const receipt = await client.publish({ type, aggregateId: "o-1", spec: { total: 1 } });
    await client.publish({ type, aggregateId: "o-1", spec: { total: 2 } });
    expect(await client.event(receipt.id)).toMatchObject({
      type,
      schemaVersion: 1,
      aggregateType: "x-order",
      kind: "intent",
    });
    for (const spec of [{ total: -1 }, { total: 1, more: 1 }, {}])
      await expect(client.publish({ type, spec })).rejects.toMatchObject({ code: "schema_violation" });
    const large = { total: 1, note: "x".repeat(limits.tenantSpecBytesMax) };
    await expect(client.publish({ type, spec: large })).rejects.toMatchObject({ code: "spec_too_large" });
  });

  test("get versions, each an event that says who; publishers may lag behind", async () => {
    const own = await edge.tenant("versions", all);
    const client = clientOf(own);
    await client.registerSchema(type, 1, { schema: order() });
    const next = { schema: order({ note: { type: "string" } }) };
    expect(await client.checkSchema(type, next)).toMatchObject({ schemaVersion: 2, compatible: true, reasons: [] });
    await client.registerSchema(type, 2, next);
    const [old, new_] = await Promise.all([
      client.publish({ type, spec: { total: 1 }, schemaVersion: 1 }),
      client.publish({ type, spec: { total: 1, note: "a" } }),
    ]);
    expect((await client.event(old.id)).schemaVersion).toBe(1);
    expect((await client.event(new_.id)).schemaVersion).toBe(2);
    await expect(client.publish({ type, spec: { total: 1, note: "a" }, schemaVersion: 1 })).rejects.toMatchObject({
      code: "schema_violation",
    });
    expect((await client.schema(type, 1)).schema).not.toHaveProperty("properties.note");
    const rows = await edge.reader.read(PLATFORM_TENANT_ID, { filter: { type: "schema.register" } });
    const mine = rows.filter(({ specText }) => specText.includes(own.id));
    expect(mine.map(({ generation, causedByText }) => [generation, causedByText.includes(own.keyId)])).toEqual([
      [1, true],
      [2, true],
    ]);
  });

  test("of a version that narrows every reason is told, and nothing is registered", async () => {
    const client = clientOf(await edge.tenant("narrow", all));
    await client.registerSchema(type, 1, { schema: order() });
    const narrow = { schema: order({ total: { type: "string" } }) };
    const reasons = ["version 1, backward: /properties/total/type takes no integer any more"];
    expect(await client.checkSchema(type, narrow)).toMatchObject({ compatible: false, reasons });
    await expect(client.registerSchema(type, 2, narrow)).rejects.toMatchObject({
      code: "schema_incompatible",
      details: { reasons },
    });
    await expect(client.schema(type, 2)).rejects.toMatchObject({ code: "not_found" });
    await client.registerSchema(type, 2, { ...narrow, compatibility: "none" });
    expect(await client.schema(type, 2)).toMatchObject({ compatibility: "none" });
  });

  test("the same again is the same version; another schema under a taken or a later number is refused", async () => {
    const client = clientOf(await edge.tenant("again", all));
    const wishes = [
      client.registerSchema(type, 1, { schema: order() }),
      client.registerSchema(type, 1, { schema: order() }),
    ];
    expect((await Promise.all(wishes)).map(({ schemaVersion }) => schemaVersion)).toEqual([1, 1]);
    const other = { schema: order({ note: { type: "string" } }) };
    for (const version of [1, 3])
      await expect(client.registerSchema(type, version, other)).rejects.toMatchObject({
        code: "wrong_expected_generation",
      });
    await client.registerSchema(type, 2, other);
    expect(await client.registerSchema(type, 1, { schema: order() })).toMatchObject({ schemaVersion: 1 });
  });

  test("only an admin registers, only names of their own, and no other tenant knows of it", async () => {
    const [own, other] = [await edge.tenant("own", all), await edge.tenant("other", all)];
    await clientOf(own).registerSchema(type, 1, { schema: order() });
    const stranger = clientOf(other);
    await expect(stranger.publish({ type, spec: { total: 1 } })).rejects.toMatchObject({ code: "unknown_type" });
    await expect(stranger.schema(type, 1)).rejects.toMatchObject({ code: "not_found" });
    expect((await stranger.schemas()).map((each) => each.type)).not.toContain(type);
    const foreign = createClient({ baseUrl: edge.url, apiKey: other.key, tenant: "own", attemptsMax: 1 });
    await expect(foreign.registerSchema(type, 2, { schema: order() })).rejects.toMatchObject({ code: "forbidden" });
    const reader = clientOf(await edge.tenant("reader", ["publisher", "reader"]));
    await expect(reader.registerSchema(type, 1, { schema: order() })).rejects.toMatchObject({ code: "forbidden" });
    await expect(reader.checkSchema(type, { schema: order() })).rejects.toMatchObject({ code: "forbidden" });
    for (const name of ["organization.create", "organization.mine", "x-order", "x-order.ready", "X-order.a"])
      await expect(clientOf(own).registerSchema(name, 1, { schema: order() })).rejects.toMatchObject({
        code: "request_invalid",
      });
  });

  test("attack 17: what could cost the plane is refused with its places, and nothing is stored", async () => {
    const client = clientOf(await edge.tenant("attack", all));
    const { position } = await edge.reader.head(PLATFORM_TENANT_ID);
    const attacks: readonly JsonObject[] = [
      order({ a: { $ref: "http://127.0.0.1:1/a.json" } }),
      order({ a: { $ref: "#" } }),
      order({ a: { type: "string", pattern: "(?<=a)b" } }),
      order({ a: { enum: Array.from({ length: limits.schemaEnumMax + 1 }, (_, index) => index) } }),
    ];
    for (const schema of attacks)
      await expect(client.registerSchema(type, 1, { schema })).rejects.toMatchObject({
        code: "schema_invalid",
        details: { problems: [expect.stringMatching(/^\/properties\/a/)] },
      });
    expect((await edge.reader.read(PLATFORM_TENANT_ID, { after: position })).map((row) => row.type)).not.toContain(
      "schema.register",
    );
  });

  test("attack 17: a catastrophic pattern holds nobody up", async () => {
    const client = clientOf(await edge.tenant("pattern", all));
    await client.registerSchema(type, 1, {
      schema: { type: "object", properties: { a: { type: "string", pattern: "^(a+)+$" } } },
    });
    const startedMs = performance.now();
    await expect(client.publish({ type, spec: { a: `${"a".repeat(30_000)}!` } })).rejects.toMatchObject({
      code: "schema_violation",
    });
    expect(performance.now() - startedMs).toBeLessThan(2_000);
  });

  test("what they mark as personal is encrypted in the log, of every version by its own marks, and the marks must stay", async () => {
    const own = await edge.tenant("personal", all);
    const client = clientOf(own);
    const marked = { type: "string", "x-eventplane-personal": { subject: "aggregateId" } } as const;
    await client.registerSchema(type, 1, { schema: order({ buyer: marked }) });
    const bare = { schema: order({ buyer: { type: "string" } }) };
    const reasons = ["version 1, mark: /properties/buyer has lost its mark x-eventplane-personal"];
    expect(await client.checkSchema(type, bare)).toMatchObject({ compatible: false, reasons });
    await client.registerSchema(type, 2, { schema: order({ buyer: marked, payer: marked }) });
    const ids: string[] = [];
    for (const schemaVersion of [1, 2]) {
      const spec = { total: 1, buyer: "Ada Lovelace", ...(schemaVersion === 2 ? { payer: "Ada Lovelace" } : {}) };
      const { id } = await client.publish({ type, aggregateId: "ada", spec, schemaVersion });
      expect(await client.event(id)).toMatchObject({ schemaVersion, spec });
      ids.push(id);
    }
    const rows = await edge.reader.readByIds(own.id, ids);
    expect(rows).toHaveLength(2);
    for (const { specText } of rows) expect(specText).not.toContain("Lovelace");
  });

  test("of which a spec does not say whose they are, it is refused, and the refusal is in the log without them", async () => {
    const own = await edge.tenant("nobody", all);
    const client = clientOf(own);
    const buyer = { type: "string", "x-eventplane-personal": { subject: "/owner" } } as const;
    await client.registerSchema(type, 1, { schema: order({ buyer, owner: { type: "string" } }) });
    const bare = client.publish({ type, spec: { total: 1, buyer: "Ada Lovelace" } });
    await expect(bare).rejects.toMatchObject({
      code: "data_subject_missing",
      message: expect.not.stringContaining("Lovelace"),
    });
    const refusals = await eventually(async () => {
      const found = await refusalsIn(edge.reader, own.id);
      return found.length === 0 ? undefined : found;
    }, "the refusal");
    expect(refusals).toMatchObject([{ code: "data_subject_missing", count: 1 }]);
    expect(JSON.stringify(refusals)).not.toContain("Lovelace");
  });

  test("their number and their bytes have a limit", async () => {
    const client = clientOf(await edge.tenant("limit", all));
    const filler = { type: "string", description: "x".repeat(60_000) };
    const codes: string[] = [];
    for (let version = 1; version <= 19 && codes.length === 0; version++) {
      const schema = order({ filler, [`v${version}`]: { type: "string" } });
      await client
        .registerSchema("x-big.one", version, { schema, compatibility: "none" })
        .catch((error: { code: string }) => codes.push(error.code));
    }
    expect(codes).toEqual(["schema_limit"]);
  });

  test("a type has a limited number of versions, so that holding one against all before has an end", async () => {
    const client = clientOf(await edge.tenant("versions-limit", all));
    for (let version = 1; version <= limits.tenantTypeVersionsMax; version++)
      await client.registerSchema(type, version, { schema: order({ [`v${version}`]: {} }), compatibility: "none" });
    const next = client.registerSchema(type, limits.tenantTypeVersionsMax + 1, { schema: order() });
    await expect(next).rejects.toMatchObject({ code: "schema_limit" });
    expect((await client.schema(type, limits.tenantTypeVersionsMax)).schemaVersion).toBe(limits.tenantTypeVersionsMax);
  });

  test("another edge knows a new type at once when it is asked, and one that starts anew reads it from the log", async () => {
    const own = await edge.tenant("several", all);
    await clientOf(own).registerSchema(type, 1, { schema: order() });
    const other = await edge.another();
    expect(await clientOf(own, other.url).publish({ type, spec: { total: 3 } })).toMatchObject({
      aggregateType: "x-order",
    });
  });
});
