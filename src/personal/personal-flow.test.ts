/** Personal data on their way through controllers, workers and projections of a whole plane in memory. */
import { expect, test } from "vitest";
import { z } from "zod";
import { defineAggregate, defineApp, defineController, done, pending } from "../controller/index.js";
import { isSealed, TerminalError } from "../kernel/index.js";
import { defineProjection, documents } from "../projection/index.js";
import { given, testPlane } from "../testing/index.js";
import { defineWorker, TryAgainError } from "../worker/index.js";

const canary = "ada@example.com";
const mark = { "x-eventplane-personal": { subject: "aggregateId" } };
const email = z.email().meta(mark);

const card = defineAggregate("card", {
  spec: z.object({ email, copies: z.number() }),
  intents: { create: { creates: true } },
});
const customer = defineAggregate("customer", {
  spec: z.object({ email, mode: z.string() }),
  status: { greeting: z.object({ to: email, echo: z.string() }) },
  intents: {
    create: { creates: true },
    "change-email": { schema: z.object({ email }) },
    touch: { schema: z.object({ mode: z.string() }) },
  },
});
const mailer = defineWorker({
  name: "mailer",
  input: z.object({ to: email, mode: z.string() }),
  output: z.object({ echo: z.string(), text: z.string() }),
  retry: { attempts: 1 },
  run: () => ({ echo: "", text: "" }),
});
const seen: unknown[] = [];
const greeting = defineController({
  name: "greeting",
  watches: customer,
  reconcile: ({ resource: { spec }, effects }) => {
    seen.push(spec.email);
    if (spec.mode === "clear") return done({ to: canary, echo: "" });
    if (spec.mode === "emits") {
      const made = { type: "card.create", aggregateId: "card-1", spec: { email: spec.email, copies: 1 } };
      return { ...done({ to: spec.email, echo: "" }), emit: made };
    }
    if (spec.mode === "emits-clear")
      return {
        ...done({ to: spec.email, echo: "" }),
        emit: { type: "card.create", aggregateId: "card-2", spec: { email: "x@example.com", copies: 1 } },
      };
    const sent = effects.get(mailer, { to: spec.email, mode: spec.mode });
    return sent.ok === undefined ? pending() : done({ to: spec.email, echo: sent.ok.echo });
  },
});
const people = defineProjection({
  name: "people",
  tables: { people: documents(z.object({ email: z.string() })) },
  apply: {
    "customer.create": (event, { people: table }) =>
      table.merge(event.aggregateId, { email: String(event.spec.email) }),
  },
});
const app = defineApp({
  aggregates: [customer, card],
  controllers: [greeting],
  workers: [mailer],
  projections: [people],
});

const calls: { readonly to: string }[] = [];
const plane = () =>
  testPlane(app, {
    workers: {
      mailer: ({ input }) => {
        calls.push(input);
        if (input.mode === "terminal") throw new TerminalError(`no such box: ${input.to}`);
        if (input.mode === "long") throw new TerminalError(`${"x".repeat(295)}${input.to}`);
        if (input.mode === "again") throw new TryAgainError(`${input.to} is busy`);
        return { echo: input.to, text: `Sent to ${input.to}.` };
      },
    },
  });
type Plane = Awaited<ReturnType<typeof plane>>;
const publish = (p: Plane, mode: string, aggregateId = "ada"): Promise<unknown> =>
  p.publish(customer.create({ email: canary, mode }, { aggregateId }));
const stored = async (p: Plane): Promise<string> => JSON.stringify(await p.events());

test("a controller passes on what it cannot read, a worker is called with it, and its echo is sealed again", async () => {
  const p = await plane();
  await publish(p, "works");
  await p.settle();
  expect(seen.every((value) => typeof value === "string" && isSealed(value))).toBe(true);
  expect(calls.at(-1)).toMatchObject({ to: canary });
  const text = await stored(p);
  expect(text).not.toContain(canary);
  expect(text).toContain('"text":"Sent to [personal]."');
  const me = p.as({ tenant: "acme", principal: { id: "reader" } });
  expect(await me.resource(customer, "ada")).toMatchObject({
    spec: { email: canary },
    status: { greeting: { to: canary, echo: canary } },
  });
  expect(JSON.stringify(await me.events())).toContain(canary);
});

test.each(["terminal", "again"])("what a worker says that throws (%s) tells nobody what it was shown", async (mode) => {
  const p = await plane();
  await publish(p, mode);
  await p.settle();
  const told = (await stored(p)) + JSON.stringify(await p.deadLetters()) + JSON.stringify(p.logged);
  expect(told).toContain("[personal]");
  expect(told).not.toContain(canary);
});

test("what is too long to be kept is cut behind what it was shown, not within", async () => {
  const p = await plane();
  await publish(p, "long");
  await p.settle();
  expect(await stored(p)).toContain("xxx");
  expect(await stored(p)).not.toContain("ada@");
});

test("an emitted intent takes sealed values at marked places, and nothing in the clear", async () => {
  const p = await plane();
  await publish(p, "emits");
  await publish(p, "emits-clear", "eve");
  await p.advance(10_000);
  const me = p.as({ tenant: "acme", principal: { id: "reader" } });
  expect(await me.resource(card, "card-1")).toMatchObject({ spec: { email: canary } });
  expect(await me.resource(card, "card-2")).toBeUndefined();
  expect((await p.deadLetters()).map(({ failure }) => failure.code)).toEqual(["decision_invalid"]);
});

test("a worker is not called with data of somebody who was erased meanwhile; its effect has failed", async () => {
  const p = await plane();
  const before = calls.length;
  await p.publish(customer.create({ email: canary, mode: "works" }, { aggregateId: "ada" }));
  await p.eraseSubject("ada");
  await p.settle();
  expect(calls.length).toBe(before);
  expect(await stored(p)).toContain('"code":"subject_erased"');
});

test("projections hold what they held: an erasure changes neither rows nor digest, and rows open or not", async () => {
  const p = await plane();
  await publish(p, "clear");
  await p.settle();
  const me = p.as({ tenant: "acme", principal: { id: "reader" } });
  const ask = (): Promise<unknown> => me.query(people, { table: "people" });
  expect(await ask()).toMatchObject({ rows: [{ key: "ada", value: { email: canary } }] });
  await p.eraseSubject("ada");
  await p.settle();
  expect(await ask()).toMatchObject({ rows: [{ key: "ada", value: { email: { $erased: true } } }] });
  await expect(p.publish(customer.changeEmail("ada", { email: canary }))).rejects.toMatchObject({
    code: "subject_erased",
  });
  await p.publish(customer.touch("ada", { mode: "clear" }));
});

test("given() takes plain values where the plane would have sealed ones", () => {
  given(customer, { email: canary, mode: "clear" })
    .when(greeting)
    .then(done({ to: canary, echo: "" }));
});
