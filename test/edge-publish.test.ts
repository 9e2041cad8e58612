import { randomUUID } from "node:crypto";
import { v7 } from "uuid";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { defineAggregate, defineApp } from "../src/controller/index.js";
import { systemClock } from "../src/kernel/index.js";
import { createMemoryStore, type LogReader } from "../src/store/index.js";
import { answerOf, call, type EdgeFixture, type FixtureTenant, startEdge } from "./support/edge-fixture.js";

let edge: EdgeFixture;
let acme: FixtureTenant;

beforeAll(async () => {
  edge = await startEdge();
  acme = await edge.tenant("acme");
});
afterAll(() => edge.close());

const create = (name = "Acme"): object => ({ type: "organization.create", spec: { name, plan: "team", region: "eu" } });
const publish = (body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${edge.url}/v1/tenants/acme/intents`, call(acme.key, { body, headers }));
const head = async (): Promise<number> => (await edge.reader.head(acme.id)).position;
const json = answerOf;

describe("one intent", () => {
  test("is answered 201 with its receipt, its address and its generation", async () => {
    const response = await publish(create());
    const receipt = await json(response);
    expect(response.status).toBe(201);
    expect(receipt).toMatchObject({ tenantId: acme.id, aggregateType: "organization", version: 1, generation: 1 });
    expect(receipt.aggregateId).toBe(receipt.id);
    expect(receipt.correlationId).toBe(receipt.id);
    expect(response.headers.get("etag")).toBe('"1"');
    expect(response.headers.get("location")).toBe(`/v1/tenants/${acme.id}/events/${receipt.id}`);
    expect(response.headers.get("idempotent-replayed")).toBeNull();
  });

  test("keeps the exact text of its spec", async () => {
    const specText = '{ "b" : 1.50,\n "a":"\\u00e9" }';
    const response = await publish(`{"type":"note.create","spec":${specText}}`);
    const { id } = await json(response);
    const [row] = await edge.reader.readByIds(acme.id, [id]);
    expect(row?.specText).toBe(specText);
  });

  test("carries a stamp that says who asked and which rule allowed it", async () => {
    const { id } = await json(await publish(create()));
    const [row] = await edge.reader.readByIds(acme.id, [id]);
    const causedBy = JSON.parse(row?.causedByText ?? "{}");
    expect(causedBy).toMatchObject({
      principal: { type: "service" },
      via: "http",
      edge: "edge-1",
      policies: ["publishers-publish"],
    });
    expect(row === undefined ? "absent" : edge.verifier.verify(row)).toBeUndefined();
  });
});

describe("the same id again", () => {
  test("gives the first receipt with 200, also 100 times at once", async () => {
    const body = { ...create(), id: v7() };
    const answers = await Promise.all(Array.from({ length: 100 }, () => publish(body)));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(1);
    expect(statuses.filter((status) => status === 200)).toHaveLength(99);
    const receipts = new Set(await Promise.all(answers.map((answer) => answer.text())));
    expect(receipts.size).toBe(1);
    expect(answers.filter((answer) => answer.headers.get("idempotent-replayed") === "true")).toHaveLength(99);
  });

  test("with another spec is refused as content_mismatch, also when the schema would refuse it today", async () => {
    const id = v7();
    await publish({ ...create(), id });
    const other = await publish({ ...create("Other"), id });
    const wrong = await publish({ type: "organization.create", spec: { name: 1 }, id });
    for (const response of [other, wrong]) {
      expect(response.status).toBe(422);
      expect((await json(response)).code).toBe("content_mismatch");
    }
  });

  test("comes from an Idempotency-Key, UUID or not", async () => {
    const uuid = randomUUID();
    for (const key of [uuid, "order-17"]) {
      const first = await publish(create(), { "idempotency-key": key });
      const again = await publish(create(), { "idempotency-key": key });
      expect([first.status, again.status]).toEqual([201, 200]);
      const { id } = await json(first);
      expect((await json(again)).id).toBe(id);
      if (key === uuid) expect(id).toBe(uuid);
    }
  });
});

describe("a refusal", () => {
  test.each([
    [
      "a schema violation",
      { ...create(), spec: { name: "x", plan: "gold", region: "eu" } },
      "422 schema_violation /spec/plan",
    ],
    [
      "an unknown member of the spec",
      { type: "organization.change-plan", spec: { plan: "team", more: 1 } },
      "422 schema_violation /spec/more",
    ],
    ["an unknown type", { type: "organization.explode", spec: {} }, "422 unknown_type /type"],
    ["a type of the runtime", { type: "organization.ready", spec: {} }, "422 forbidden_field /type"],
    ["a missing type", { spec: {} }, "400 request_invalid /type"],
    ["a member of a wrong type", { ...create(), expectedGeneration: "1" }, "400 request_invalid /expectedGeneration"],
  ])("of %s names the code and the place, and adds nothing", async (_name, body, expected) => {
    const before = await head();
    const response = await publish(body);
    expect(response.headers.get("content-type")).toContain("application/problem+json");
    const { code, status, pointers } = await json(response);
    expect([`${status} ${code} ${pointers.join()}`, response.status]).toEqual([expected, status]);
    const added = await edge.reader.read(acme.id, { after: before });
    expect(added.filter(({ type }) => type !== "refusal.recorded")).toEqual([]);
  });

  test("by a guard is 409 with the guard's reason", async () => {
    await publish({ type: "door.create", aggregateId: "front", spec: { locked: true } });
    const response = await publish({ type: "door.change", aggregateId: "front", spec: { opened: 1 } });
    expect(response.status).toBe(409);
    expect(await json(response)).toMatchObject({ code: "guard_refused", detail: "The door is locked." });
  });

  test("of a repetition does not happen although the guard would refuse it today", async () => {
    const change = { type: "door.change", aggregateId: "back", spec: { locked: true }, id: v7() };
    await publish({ type: "door.create", aggregateId: "back", spec: { locked: false } });
    expect((await publish(change)).status).toBe(201);
    expect((await publish(change)).status).toBe(200);
  });
});

describe("a guard", () => {
  test.each([[false], [true]])(
    "that is overtaken asks for another try, never for a condition nobody gave (atomic: %s)",
    async (atomic) => {
      const store = createMemoryStore({ clock: systemClock });
      const readStream: LogReader["readStream"] = async (...query) => {
        const rows = await store.reader.readStream(...query);
        await systemClock.sleep(30); // so that others append meanwhile
        return rows;
      };
      const own = await startEdge({ store: { edge: store.edge, reader: { ...store.reader, readStream } } });
      onTestFinished(() => own.close());
      const { key } = await own.tenant("acme");
      const send = (body: object): Promise<Response> =>
        fetch(`${own.url}/v1/tenants/acme/intents`, call(key, { body }));
      await send({ type: "door.create", aggregateId: "a", spec: { locked: false } });
      const change = (opened: number): object => ({ type: "door.change", aggregateId: "a", spec: { opened } });
      const answers = await Promise.all(
        Array.from({ length: 24 }, (_, n) => send(atomic ? { atomic, intents: [change(n)] } : change(n))),
      );
      const codes = await Promise.all(answers.map(async (answer) => `${answer.status} ${(await json(answer)).code}`));
      expect(new Set(codes)).toEqual(new Set(["201 undefined", "503 busy"]));
      expect(codes.filter((code) => code === "201 undefined").length).toBeGreaterThanOrEqual(3);
      for (const answer of answers) expect(answer.headers.get("retry-after")).toBe(answer.status === 503 ? "1" : null);
    },
    20_000,
  );
});

describe("conditions", () => {
  test("If-Match on the generation is 412 when stale, expectedGeneration in the body 409", async () => {
    const { aggregateId } = await json(await publish(create()));
    const change = { type: "organization.change-plan", aggregateId, spec: { plan: "free" } };
    expect((await publish(change, { "if-match": '"1"' })).status).toBe(201);
    const stale = await publish(change, { "if-match": '"1"' });
    expect(stale.status).toBe(412);
    expect(await json(stale)).toMatchObject({ code: "wrong_expected_generation", generation: 2 });
    expect((await publish({ ...change, expectedGeneration: 1 })).status).toBe(409);
  });

  test("expectedVersion and the life of the resource are 409", async () => {
    const { aggregateId } = await json(await publish(create()));
    const change = { type: "organization.change-plan", aggregateId, spec: { plan: "free" } };
    const again = await publish({ ...create(), aggregateId });
    expect([again.status, (await json(again)).code]).toEqual([409, "resource_exists"]);
    expect((await json(await publish({ ...change, expectedVersion: 7 }))).code).toBe("wrong_expected_version");
    expect((await publish({ type: "organization.delete", aggregateId })).status).toBe(201);
    const deleting = await publish({ type: "organization.delete", aggregateId });
    expect([deleting.status, (await json(await publish(change))).code]).toEqual([200, "resource_deleting"]);
  });
});

describe("a list", () => {
  test("gives each intent its own receipt or problem", async () => {
    const response = await publish({
      intents: [create(), { type: "organization.create", spec: {} }, { ...create(), position: 3 }],
    });
    const { results } = await json(response);
    expect(response.status).toBe(200);
    expect(results.map(({ result }) => result)).toEqual(["created", "refused", "refused"]);
    expect(results[1]?.problem).toMatchObject({ code: "schema_violation", status: 422 });
    expect(results[1]?.problem.pointers).toContain("/intents/1/spec/name");
    expect(results[2]?.problem).toMatchObject({ code: "forbidden_field", pointers: ["/intents/2/position"] });
  });

  test("that is atomic adds all or nothing", async () => {
    const before = await head();
    const refused = await publish({ atomic: true, intents: [create(), { type: "organization.create", spec: {} }] });
    expect(refused.status).toBe(422);
    expect(await edge.reader.read(acme.id, { after: before, filter: { kind: "intent" } })).toEqual([]);
    const ids = [v7(), v7()];
    const body = { atomic: true, intents: ids.map((id) => ({ ...create(), id })) };
    const [first, again] = [await publish(body), await publish(body)];
    expect([first.status, again.status]).toEqual([201, 200]);
    const other = await publish({ atomic: true, intents: [{ ...create(), id: ids[0] }, create()] });
    expect((await json(other)).code).toBe("content_mismatch");
  });

  test("takes guarded intents of one resource in their order", async () => {
    const intents = [
      { type: "door.create", aggregateId: "cellar", spec: { locked: false } },
      ...Array.from({ length: 20 }, (_, opened) => ({ type: "door.change", aggregateId: "cellar", spec: { opened } })),
    ];
    const { results } = await json(await publish({ intents }));
    expect(results.map((each) => each.receipt.generation)).toEqual(intents.map((_, index) => index + 1));
  });

  test("in which a guard fails gives the others their receipts, says nothing of why, and logs it", async () => {
    const judge = defineAggregate("judge", {
      spec: z.object({ text: z.string() }),
      status: {},
      intents: { create: { creates: true } },
      guard: (_resource, { spec }) => {
        if (spec.text === "hard") throw new TypeError("cannot judge hard");
        return undefined;
      },
    });
    const own = await startEdge({ app: defineApp({ aggregates: [judge], controllers: [] }) });
    onTestFinished(() => own.close());
    const { key } = await own.tenant("acme");
    const intents = ["easy", "hard", "easy"].map((text) => ({ type: "judge.create", spec: { text } }));
    const response = await fetch(`${own.url}/v1/tenants/acme/intents`, call(key, { body: { intents } }));
    const { results } = await json(response);
    expect(results.map(({ result }) => result)).toEqual(["created", "refused", "created"]);
    expect(results[1]?.problem).toMatchObject({ code: "internal", status: 500 });
    expect(JSON.stringify(results)).not.toContain("judge hard");
    expect(own.logged()).toContain("TypeError");
  });

  test("of more than 1,000 intents is 413", async () => {
    const response = await publish({ intents: Array.from({ length: 1_001 }, () => ({ type: "note.create" })) });
    expect([response.status, (await json(response)).code]).toEqual([413, "too_many_events"]);
  });
});
