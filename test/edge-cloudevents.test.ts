/** CloudEvents in and out, with the project's own SDK as the client. */
import { randomUUID } from "node:crypto";
import { CloudEvent, HTTP } from "cloudevents";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { answerOf, call, type EdgeFixture, type FixtureTenant, startEdge } from "./support/edge-fixture.js";

let edge: EdgeFixture;
let acme: FixtureTenant;

beforeAll(async () => {
  edge = await startEdge();
  acme = await edge.tenant("acme");
});
afterAll(() => edge.close());

const spec = { name: "Acme", plan: "team", region: "eu" };
const attributes = (more: object = {}): Record<string, unknown> => ({
  specversion: "1.0",
  id: randomUUID(),
  source: "/crm",
  type: "organization.create",
  data: spec,
  ...more,
});
const made = (more: object = {}): CloudEvent<object> =>
  new CloudEvent(attributes(more) as { type: string; source: string }); // the SDK checks the rest
const authorization = (): Record<string, string> => ({ authorization: `Bearer ${acme.key}` });

/** As the SDK sends it: headers and body of the structured mode. */
function publish(event: CloudEvent<object>): Promise<Response> {
  const { headers, body } = HTTP.structured(event);
  const own = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
  return post(String(body), own["content-type"] ?? "");
}
function post(body: string, type = "application/cloudevents+json"): Promise<Response> {
  const headers = { ...authorization(), "content-type": type };
  return fetch(`${edge.url}/v1/tenants/acme/intents`, { method: "POST", headers, body });
}
const postBatch = (events: readonly unknown[]): Promise<Response> =>
  post(JSON.stringify(events), "application/cloudevents-batch+json; charset=utf-8");

/** What the SDK makes of an answer. */
async function received(
  path: string,
  accept: string,
): Promise<{ events: readonly CloudEvent<unknown>[]; response: Response }> {
  const response = await fetch(`${edge.url}/v1/tenants/acme/${path}`, { headers: { ...authorization(), accept } });
  expect(response.status).toBe(200);
  const headers = Object.fromEntries(response.headers);
  const events = HTTP.toEvent({ headers, body: await response.text() });
  return { events: (Array.isArray(events) ? events : [events]).map((each) => new CloudEvent(each)), response };
}
const single = "application/cloudevents+json";
const batch = "application/cloudevents-batch+json";

describe("a CloudEvent", () => {
  test("of the SDK becomes an intent, once, with its id where that is a UUID", async () => {
    const event = made({
      subject: "organization/acme-1",
      time: "2026-01-02T03:04:05.678Z",
      correlationid: randomUUID(),
    });
    const first = await publish(event);
    const receipt = await answerOf(first);
    expect(first.status).toBe(201);
    expect(receipt).toMatchObject({ id: event.id, aggregateType: "organization", aggregateId: "acme-1" });
    expect(receipt.correlationId).toBe(String(event["correlationid"]));
    const [row] = await edge.reader.readByIds(acme.id, [event.id]);
    expect(row).toMatchObject({ kind: "intent", occurredAt: "2026-01-02T03:04:05.678000Z", source: null });
    const again = await publish(event);
    expect([again.status, again.headers.get("idempotent-replayed")]).toEqual([200, "true"]);
    const other = await publish(made({ ...event, data: { ...spec, plan: "free" } }));
    expect([other.status, (await answerOf(other)).code]).toEqual([422, "content_mismatch"]);
  });

  test("with another id is known by its source and id together", async () => {
    const [crm, erp] = [made({ id: "A-1", source: "/crm" }), made({ id: "A-1", source: "/erp" })];
    const ids = [await answerOf(await publish(crm)), await answerOf(await publish(erp))].map(({ id }) => id);
    expect(new Set(ids).size).toBe(2);
    const again = await publish(crm);
    expect([again.status, (await answerOf(again)).id]).toEqual([200, ids[0]]);
  });

  test("keeps the exact text of its data", async () => {
    const data = '{ "b" : 1.50,\n "a":"\\u00e9" }';
    const body = JSON.stringify(attributes({ type: "note.create", data: 0 })).replace('"data":0', `"data":${data}`);
    const { id } = await answerOf(await post(body));
    const [row] = await edge.reader.readByIds(acme.id, [id]);
    expect(row?.specText).toBe(data);
  });

  test.each([
    "tenantid",
    "kind",
    "authtype",
    "authid",
    "sequence",
    "streamversion",
    "recordedtime",
    "predecessorhash",
    "data_base64",
    "anything",
  ])("with %s is refused, not stripped of it", async (name) => {
    const before = (await edge.reader.read(acme.id, { filter: { kind: "intent" }, limit: 1_000 })).length;
    const response = await post(JSON.stringify(attributes({ [name]: "x" })));
    expect(response.status).toBe(422);
    expect(await answerOf(response)).toMatchObject({ code: "forbidden_field", pointers: [`/${name}`] });
    expect((await edge.reader.read(acme.id, { filter: { kind: "intent" }, limit: 1_000 })).length).toBe(before);
  });

  test.each<[string, object, string]>([
    ["another version of CloudEvents", { specversion: "0.3" }, "/specversion"],
    ["no id", { id: undefined }, "/id"],
    ["an empty source", { source: "" }, "/source"],
    ["a number as its type", { type: 7 }, "/type"],
    ["data that is text", { data: "text" }, "/data"],
    ["XML", { datacontenttype: "application/xml" }, "/datacontenttype"],
    ["a subject without an aggregate id", { subject: "organization" }, "/subject"],
    ["a subject of another aggregate", { subject: "note/1" }, "/subject"],
    ["a schema of somebody else", { dataschema: "https://example.org/schema" }, "/dataschema"],
    ["another version of its schema", { dataschema: "eventplane:/schemas/organization.create/9" }, "/dataschema"],
    ["a time that is none", { time: "yesterday" }, "/time"],
    ["a trace that is none", { traceparent: "00-0" }, "/traceparent"],
  ])("with %s is refused at its place", async (_what, more, pointer) => {
    const response = await post(JSON.stringify(attributes(more)));
    expect(response.status).toBe(400);
    expect(await answerOf(response)).toMatchObject({ code: "request_invalid", pointers: [pointer] });
  });

  test("whose data does not fit its schema is refused at the place in data, and counted once", async () => {
    const response = await post(JSON.stringify(attributes({ data: { ...spec, plan: "none" } })));
    expect(response.status).toBe(422);
    expect(await answerOf(response)).toMatchObject({ code: "schema_violation", pointers: ["/data/plan"] });
  });

  test("goes to no other address", async () => {
    const headers = { authorization: `Bearer ${edge.adminKey}`, "content-type": single };
    const response = await fetch(`${edge.url}/v1/admin/tenants`, { method: "POST", headers, body: '{"slug":"x"}' });
    expect(response.status).toBe(415);
  });
});

describe("a batch", () => {
  test("gives each event its own outcome, and in another order and size each is known again", async () => {
    const good = ["1", "2", "3"].map((id) => attributes({ id: `B-${id}` }));
    const response = await postBatch([good[0], attributes({ sequence: "1" }), good[1], "text", good[2]]);
    expect(response.status).toBe(200);
    const { results } = (await response.json()) as { results: { result: string; problem?: { pointers: string[] } }[] };
    expect(results.map(({ result }) => result)).toEqual(["created", "refused", "created", "refused", "created"]);
    expect(results[1]?.problem?.pointers).toEqual(["/1/sequence"]);
    const again = (await (await postBatch([good[2], good[0]])).json()) as typeof results extends never
      ? never
      : { results: typeof results };
    expect(again.results.map(({ result }) => result)).toEqual(["repeated", "repeated"]);
  });

  test("that is none, empty or too long is refused", async () => {
    for (const body of ["{}", "[]", JSON.stringify(attributes())]) expect((await post(body, batch)).status).toBe(400);
    const many = await postBatch(Array.from({ length: 1_001 }, () => attributes()));
    expect([many.status, (await answerOf(many)).code]).toEqual([413, "too_many_events"]);
  });
});

describe("reading as CloudEvents", () => {
  test("one event holds what the log says of it, and the SDK takes it", async () => {
    const { id } = await answerOf(await publish(made({ subject: "organization/read-1" })));
    const { events } = await received(`events/${id}`, single);
    const [row] = await edge.reader.readByIds(acme.id, [id]);
    const [event] = events;
    expect(event?.validate()).toBe(true);
    expect(event).toMatchObject({
      id,
      source: `eventplane:/tenants/${acme.id}`,
      type: "organization.create",
      subject: "organization/read-1",
      dataschema: "eventplane:/schemas/organization.create/1",
      data: spec,
      tenantid: acme.id,
      kind: "intent",
      authtype: "service",
      streamversion: "1",
      sequence: String(row?.position).padStart(16, "0"),
      predecessorhash: Buffer.from(row?.previousHash ?? []).toString("hex"),
    });
  });

  test("a page is a batch with a link to the next, until every event was read, each once", async () => {
    const ids: string[] = [];
    let path: string | undefined = "events?limit=7&kind=intent";
    while (path !== undefined) {
      const { events, response } = await received(path, `${batch}, application/json;q=0.5`);
      for (const event of events) expect(event.validate()).toBe(true);
      ids.push(...events.map(({ id }) => id));
      path = /<\/v1\/tenants\/acme\/([^>]+)>; rel="next"/.exec(response.headers.get("link") ?? "")?.[1];
    }
    const rows = await edge.reader.read(acme.id, { filter: { kind: "intent" }, limit: 1_000 });
    expect(ids).toEqual(rows.map(({ id }) => id));
  });

  test("streams and traces too; a proof has no place in it; without the media type it is our own form", async () => {
    const stream = await received("streams/organization/read-1", batch);
    expect(stream.events.map(({ subject }) => subject)).toEqual(["organization/read-1"]);
    const trace = await received(`traces/${stream.events[0]?.["correlationid"] as string}`, batch);
    expect(trace.events).toHaveLength(1);
    const proof = await fetch(`${edge.url}/v1/tenants/acme/events?include=proof`, {
      headers: { ...authorization(), accept: batch },
    });
    expect(proof.status).toBe(400);
    const own = await fetch(`${edge.url}/v1/tenants/acme/events?limit=1`, call(acme.key));
    expect(own.headers.get("content-type")).toContain("application/json");
    expect(await own.json()).toHaveProperty("events");
  });

  test("what was read can be published elsewhere when the plane's own attributes are left out", async () => {
    const { events } = await received("streams/organization/read-1", batch);
    const [event] = events;
    const { type, data, subject, id } = event as CloudEvent<object>;
    const globex = await edge.tenant("globex");
    const response = await fetch(`${edge.url}/v1/tenants/globex/intents`, {
      method: "POST",
      headers: { authorization: `Bearer ${globex.key}`, "content-type": single },
      body: JSON.stringify(attributes({ type, data, subject, id })),
    });
    expect(response.status).toBe(201);
  });
});
