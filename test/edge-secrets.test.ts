/** The secrets scan at the edge: what is refused, what the refusal says, and that the secret is nowhere afterwards. */
import { v7 } from "uuid";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { defineAggregate, defineApp } from "../src/controller/index.js";
import { systemClock } from "../src/kernel/index.js";
import { createMemoryStore } from "../src/store/index.js";
import {
  answerOf,
  call,
  type EdgeFixture,
  eventually,
  type FixtureTenant,
  refusalsIn,
  startEdge,
} from "./support/edge-fixture.js";
import { secretFakes } from "./support/secret-fakes.js";

const open = z.looseObject({});
const note = defineAggregate("note", {
  spec: open,
  status: {},
  intents: { create: { creates: true }, quote: { expectedVersion: "any", allowSecrets: ["github-token"] } },
});
const lenient = defineAggregate("note", {
  spec: open,
  status: {},
  intents: { create: { creates: true, allowSecrets: ["github-token"] } },
});
const token = secretFakes(1).find(({ name }) => name === "GitHub ghp")?.secret ?? "";

let edge: EdgeFixture;
let other: Awaited<ReturnType<EdgeFixture["another"]>>;
let acme: FixtureTenant;

beforeAll(async () => {
  const store = createMemoryStore({ clock: systemClock });
  edge = await startEdge({ store, app: defineApp({ aggregates: [note], controllers: [] }) });
  other = await edge.another({ app: defineApp({ aggregates: [lenient], controllers: [] }) });
  acme = await edge.tenant("acme");
});
afterAll(() => edge.close());

const publish = (body: unknown, url = edge.url): Promise<Response> =>
  fetch(`${url}/v1/tenants/acme/intents`, call(acme.key, { body }));

test("a spec with a secret is refused 422 with the place and the rule, behind escapes too, and nothing is appended", async () => {
  const before = await edge.reader.head(acme.id);
  const written = JSON.stringify({ type: "note.create", spec: { a: [{ b: token }] } });
  for (const body of [written, written.replace("ghp_", "\\u0067hp_")]) {
    const response = await publish(body);
    const problem = await answerOf(response);
    expect([response.status, problem.code, problem.pointers, problem.rule]).toEqual([
      422,
      "secret_found",
      ["/spec/a/0/b"],
      "github-token",
    ]);
    expect(problem.detail).toContain("/a/0/b");
  }
  const added = await edge.reader.read(acme.id, { after: before.position });
  expect(added.every(({ type }) => type === "refusal.recorded")).toBe(true);
});

test("in a list only the intent with the secret is refused, in an atomic one all", async () => {
  const intents = [
    { type: "note.create", spec: { a: 1 } },
    { type: "note.create", spec: { a: token } },
  ];
  const { results } = await answerOf(await publish({ intents }));
  expect(results).toMatchObject([
    { result: "created" },
    { result: "refused", problem: { code: "secret_found", pointers: ["/intents/1/spec/a"] } },
  ]);
  const atomic = await publish({ intents, atomic: true });
  expect([atomic.status, (await answerOf(atomic)).pointers]).toEqual([422, ["/intents/1/spec/a"]]);
});

test("every fake that the scan knows is refused, and none of them is in an answer, the log file or any event", async () => {
  const fakes = secretFakes(2);
  let said = "";
  let refused = 0;
  for (const { spec } of fakes) {
    const response = await publish({ type: "note.create", spec });
    if (response.status !== 422) continue;
    refused++;
    said += await response.text();
  }
  expect(refused).toBeGreaterThanOrEqual(35);
  const recorded = await eventually(
    async () => (await refusalsIn(edge.reader, acme.id)).find(({ code }) => code === "secret_found"),
    "a refusal",
  );
  expect(recorded).toMatchObject({ code: "secret_found", action: "PublishIntent" });
  const events = JSON.stringify(await edge.reader.read(acme.id, { limit: 1_000 }));
  for (const { secret, name } of fakes.filter(({ name: each }) => !each.includes("without a word")))
    for (const place of [said, edge.logged(), events]) expect(place, name).not.toContain(secret);
  const metrics = await (await fetch(`${edge.url}/metrics`)).text();
  expect(metrics).toMatch(/eventplane_secrets_refused_total\{rule="private-key"\} 5/);
});

test("a type that allows a rule takes what it finds, and nothing else", async () => {
  const quote = (text: string): Promise<Response> =>
    publish({ type: "note.quote", aggregateId: "quoted", spec: { text } });
  expect((await quote(token)).status).toBe(201);
  expect((await quote(`AKIA${"Q".repeat(16)}`)).status).toBe(422);
});

test("what was stored before its rule is answered with its first receipt", async () => {
  const intent = { type: "note.create", id: v7(), spec: { text: token } };
  const first = await eventually(async () => {
    const response = await publish(intent, other.url);
    return response.status === 201 ? answerOf(response) : undefined;
  }, "the other edge knows the tenant");
  const repeated = await publish(intent);
  expect([repeated.status, await answerOf(repeated)]).toEqual([200, first]);
  expect((await publish({ ...intent, id: v7() })).status).toBe(422);
});
