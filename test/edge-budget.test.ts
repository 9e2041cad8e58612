/** The size budget of a type: before its schema, and never in the way of a repetition. */
import { v7 } from "uuid";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { defineAggregate, defineApp } from "../src/controller/index.js";
import type { AppDefinition } from "../src/event/index.js";
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

const spec = z.object({ text: z.string() });
const appOf = (specBytesMax: number): AppDefinition =>
  defineApp({
    aggregates: [
      defineAggregate("note", {
        spec,
        specBytesMax,
        intents: { create: { creates: true }, edit: { specBytesMax: 100 } },
      }),
    ],
    controllers: [],
  });
const budget = 40;

let edge: EdgeFixture;
let generous: Awaited<ReturnType<EdgeFixture["another"]>>;
let acme: FixtureTenant;

beforeAll(async () => {
  edge = await startEdge({ store: createMemoryStore({ clock: systemClock }), app: appOf(budget) });
  generous = await edge.another({ app: appOf(1_000) });
  acme = await edge.tenant("acme");
});
afterAll(() => edge.close());

const publish = (body: object | string, url = edge.url): Promise<Response> =>
  fetch(`${url}/v1/tenants/acme/intents`, call(acme.key, { body }));
/** A spec of exactly so many bytes. */
const specOf = (bytes: number): { text: string } => ({ text: "a".repeat(bytes - '{"text":""}'.length) });

test("a spec of its budget is taken, one of a byte more is refused 413 with both numbers, counted as it was sent", async () => {
  expect((await publish({ type: "note.create", spec: specOf(budget) })).status).toBe(201);
  const body = { type: "note.create", spec: specOf(budget + 1) };
  const response = await publish(body);
  expect([response.status, await answerOf(response)]).toMatchObject([
    413,
    { code: "spec_too_large", pointers: ["/spec"], specBytes: budget + 1, specBytesMax: budget },
  ]);
  const spaced = await publish(`{"type":"note.create","spec":{"text":"äöü"${" ".repeat(budget)}}}`);
  expect((await answerOf(spaced)).code).toBe("spec_too_large");
  const recorded = await eventually(async () => (await refusalsIn(edge.reader, acme.id))[0], "a refusal");
  expect(recorded).toMatchObject({ code: "spec_too_large", action: "PublishIntent" });
});

test("it is looked at before the schema, and in a list for each intent", async () => {
  const wrong = { type: "note.create", spec: { other: "a".repeat(budget) } };
  expect((await answerOf(await publish(wrong))).code).toBe("spec_too_large");
  const intents = [{ type: "note.create", spec: specOf(20) }, wrong];
  expect((await answerOf(await publish({ intents }))).results).toMatchObject([
    { result: "created" },
    { problem: { code: "spec_too_large", pointers: ["/intents/1/spec"] } },
  ]);
});

test("an intent's own budget counts instead of the aggregate's", async () => {
  const { aggregateId } = await answerOf(await publish({ type: "note.create", spec: specOf(20) }));
  const edit = (bytes: number): Promise<Response> => publish({ type: "note.edit", aggregateId, spec: specOf(bytes) });
  expect((await edit(100)).status).toBe(201);
  expect((await edit(101)).status).toBe(413);
});

test("what was stored under a larger budget is answered with its first receipt", async () => {
  const intent = { type: "note.create", id: v7(), spec: specOf(500) };
  const first = await eventually(async () => {
    const response = await publish(intent, generous.url);
    return response.status === 201 ? answerOf(response) : undefined;
  }, "the other edge knows the tenant");
  const repeated = await publish(intent);
  expect([repeated.status, await answerOf(repeated)]).toEqual([200, first]);
  expect((await publish({ ...intent, id: v7() })).status).toBe(413);
});

test("publishers find the budget beside the schema", async () => {
  const { schemas } = (await (await fetch(`${edge.url}/v1/tenants/acme/schemas`, call(acme.key))).json()) as {
    schemas: readonly { type: string; specBytesMax?: number }[];
  };
  expect(schemas.map(({ type, specBytesMax }) => [type, specBytesMax])).toEqual([
    ["note.create", budget],
    ["note.edit", 100],
  ]);
});
