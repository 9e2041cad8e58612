/** Deliveries of sources over HTTP: signed ones become facts once, everything else becomes nothing and says nothing. */
import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { sign as githubSign } from "@octokit/webhooks-methods";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { defineAggregate, defineApp } from "../src/controller/index.js";
import { foldEvent } from "../src/event/index.js";
import { type Clock, limits, PLATFORM_TENANT_ID, systemClock } from "../src/kernel/index.js";
import { defineSource, githubWebhooks, hmacWebhooks, standardWebhooks } from "../src/source/index.js";
import { createMemoryStore } from "../src/store/index.js";
import { answerOf, call, type EdgeFixture, type FixtureTenant, startEdge } from "./support/edge-fixture.js";
import { type Installation, installEventplane } from "./support/postgres-installation.js";

const require = createRequire(import.meta.url);

const invoice = defineAggregate("invoice", {
  spec: z.object({ amount: z.number(), paid: z.boolean() }),
  status: {},
  intents: { create: { creates: true }, pay: { replaces: true, expectedVersion: "any" } },
});
const repository = defineAggregate("repository", {
  spec: z.looseObject({ event: z.string() }),
  status: {},
  intents: { "record-delivery": { replaces: true, expectedVersion: "any" } },
});

const whsec = (byte: number): string => `whsec_${Buffer.alloc(32, byte).toString("base64")}`;
const githubSecret = "a secret of GitHub for acme";
let payments: readonly string[] = [whsec(1)];

const app = defineApp({
  aggregates: [invoice, repository],
  sources: [
    defineSource({
      name: "payments",
      verify: standardWebhooks(),
      secrets: ({ slug }) => (slug === "acme" ? payments : slug === "globex" ? whsec(2) : undefined),
      map: ({ body }) => {
        if (body["kind"] === "ping") return undefined;
        if (body["kind"] === "throws") throw new Error("canary-c4n4ry");
        const one = {
          type: "invoice.pay",
          aggregateId: String(body["invoice"]),
          spec: { amount: body["amount"], paid: true },
        };
        return body["kind"] === "twice" ? [one, { ...one, aggregateId: `${one.aggregateId}-b` }] : one;
      },
    }),
    defineSource({
      name: "github",
      verify: githubWebhooks(),
      secrets: ({ slug }) => (slug === "acme" ? githubSecret : undefined),
      map: ({ headers, body }) => ({
        type: "repository.record-delivery",
        aggregateId: "all",
        spec: { event: headers["x-github-event"] ?? "none", payload: body },
      }),
    }),
    defineSource({
      name: "broken",
      verify: hmacWebhooks({ header: "x-signature" }),
      secrets: () => {
        throw new Error("the vault is closed");
      },
      map: () => [],
    }),
  ],
});

let fixedUs: number | undefined;
const clock: Clock = { ...systemClock, nowUs: () => fixedUs ?? systemClock.nowUs() };
let edge: EdgeFixture;
let acme: FixtureTenant;
let globex: FixtureTenant;

beforeAll(async () => {
  edge = await startEdge({ app, clock, store: createMemoryStore({ clock }) });
  acme = await edge.tenant("acme");
  globex = await edge.tenant("globex");
});
afterAll(() => edge.close());

interface Payment {
  readonly kind?: string;
  readonly invoice: string;
  readonly amount: number | string;
}

function signed(payload: object | string, given: { id?: string; secret?: string; at?: Date } = {}): RequestInit {
  const { id = `msg_${randomUUID()}`, secret = whsec(1), at = new Date() } = given;
  const body = typeof payload === "string" ? payload : JSON.stringify(payload);
  const headers = {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(at.getTime() / 1_000)),
    "webhook-signature": new Webhook(secret).sign(id, at, body),
  };
  return { method: "POST", headers, body };
}
const payment = (more: Partial<Payment> = {}): Payment => ({ invoice: "i-1", amount: 12.5, ...more });
const send = (init: RequestInit, path = "acme/sources/payments"): Promise<Response> =>
  fetch(`${edge.url}/v1/tenants/${path}`, init);
/** How many facts of sources a tenant's log holds; refusals are facts too, of the edge. */
async function facts(tenant = acme): Promise<number> {
  const rows = await edge.reader.read(tenant.id, { limit: 1_000 });
  return rows.filter(({ source }) => source !== null).length;
}
interface Taken {
  readonly facts: readonly { readonly id: string; readonly result: string }[];
}
const taken = async (response: Response): Promise<Taken> => (await response.json()) as Taken; // the route's answer

describe("a signed delivery", () => {
  test("becomes a fact of its source, with a stamp that says so and a proof that verifies", async () => {
    const response = await send(signed(payment({ invoice: "stamped" })));
    expect(response.status).toBe(201);
    const answer = await taken(response);
    expect(answer).toEqual({ facts: [{ id: expect.any(String), result: "created" }] });
    const [row] = await edge.reader.readByIds(acme.id, [answer.facts[0]?.id ?? ""]);
    expect(row).toMatchObject({
      kind: "fact",
      source: "payments",
      type: "invoice.pay",
      aggregateId: "stamped",
      version: 1,
    });
    const causedBy = JSON.parse(row?.causedByText ?? "{}");
    expect(causedBy).toMatchObject({
      principal: { type: "source" },
      via: "source",
      keyId: null,
      policies: ["sources-publish-facts"],
    });
    expect(row === undefined ? "absent" : edge.verifier.verify(row)).toBeUndefined();
    if (row === undefined) throw new Error("absent");
    expect(foldEvent(undefined, row, app.aggregates.get("invoice"))).toMatchObject({
      generation: 1,
      spec: { amount: 12.5, paid: true },
    });
  });

  test("attack 9: sent again it is the same fact, 50 times at once too; with another content it is refused", async () => {
    const id = `msg_${randomUUID()}`;
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => send(signed(payment({ invoice: "again" }), { id }))),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(49);
    expect(answers.filter(({ headers }) => headers.get("idempotent-replayed") === "true")).toHaveLength(49);
    const other = await send(signed(payment({ invoice: "again", amount: 99 }), { id }));
    expect(other.status).toBe(422);
    expect(await answerOf(other)).toMatchObject({ code: "content_mismatch" });
    expect(await edge.reader.readStream(acme.id, { aggregateType: "invoice", aggregateId: "again" })).toHaveLength(1);
  });

  test("attack 9: replayed after its window it is refused, and nothing is added", async () => {
    const init = signed(payment({ invoice: "late" }));
    const before = await facts();
    fixedUs = systemClock.nowUs() + 301_000_000;
    const response = await send(init);
    fixedUs = undefined;
    expect(response.status).toBe(401);
    expect(await answerOf(response)).toMatchObject({ code: "delivery_expired" });
    expect(await facts()).toBe(before);
  });

  test("may mean nothing, or several facts, of which all or none are added", async () => {
    const before = await facts();
    const ping = await send(signed(payment({ kind: "ping" })));
    expect([ping.status, await answerOf(ping)]).toEqual([200, { facts: [] }]);
    expect(await facts()).toBe(before);
    const twice = await send(signed(payment({ kind: "twice", invoice: "two" })));
    expect((await taken(twice)).facts).toHaveLength(2);
    const bad = await send(signed(payment({ kind: "twice", invoice: "bad", amount: "much" })));
    expect(bad.status).toBe(422);
    expect(await answerOf(bad)).toMatchObject({ code: "schema_violation" });
    expect(await facts()).toBe(before + 2);
  });

  test("with either secret while they are rotated, and no longer with the old one after that", async () => {
    payments = [whsec(1), whsec(3)];
    expect((await send(signed(payment({ invoice: "rot-1" }), { secret: whsec(1) }))).status).toBe(201);
    expect((await send(signed(payment({ invoice: "rot-2" }), { secret: whsec(3) }))).status).toBe(201);
    payments = [whsec(3)];
    expect((await send(signed(payment({ invoice: "rot-3" }), { secret: whsec(1) }))).status).toBe(401);
    payments = [whsec(1)];
  });

  test("GitHub's 329 recorded deliveries, signed, are in the log once, whatever id they are sent with again", async () => {
    const groups = require("@octokit/webhooks-examples") as readonly { name: string; examples: readonly object[] }[];
    const bodies = groups.flatMap(({ name, examples }) =>
      examples.map((each) => ({ name, body: JSON.stringify(each) })),
    );
    const before = await facts();
    const deliver = async ({ name, body }: { name: string; body: string }): Promise<number> => {
      const headers = {
        "content-type": "application/json",
        "x-github-event": name,
        "x-github-delivery": randomUUID(),
        "x-hub-signature-256": await githubSign(githubSecret, body),
      };
      const response = await send({ method: "POST", headers, body }, "acme/sources/github");
      await response.arrayBuffer();
      return response.status;
    };
    const statuses: number[] = [];
    for (const each of bodies) statuses.push(await deliver(each));
    const different = new Set(bodies.map(({ body }) => body)).size;
    // Some hold pre-signed URLs with the id of a key, which this type does not allow: refused, as they would be from a publisher.
    const added = statuses.filter((status) => status === 201).length;
    const refused = statuses.filter((status) => status === 422).length;
    expect(statuses).toHaveLength(329);
    expect(added + refused).toBe(different);
    expect(refused).toBeLessThan(10);
    expect(await facts()).toBe(before + added);
    for (const each of bodies.slice(0, 20)) expect([200, 422]).toContain(await deliver(each));
    expect(await facts()).toBe(before + added);
  });
});

describe("a verified delivery that cannot be used", () => {
  test("is refused when its mapping throws, is no object or no JSON, and the log says where without its content", async () => {
    const before = await facts();
    const thrown = await send(signed(payment({ kind: "throws" })));
    expect([thrown.status, (await answerOf(thrown)).code]).toEqual([422, "delivery_unmapped"]);
    const list = await send(signed("[1]"));
    expect([list.status, (await answerOf(list)).code]).toEqual([422, "delivery_unmapped"]);
    const cut = await send(signed('{"a":'));
    expect([cut.status, (await answerOf(cut)).code]).toEqual([400, "json_invalid"]);
    const proto = await send(signed('{"__proto__":{"a":1}}'));
    expect([proto.status, (await answerOf(proto)).code]).toEqual([422, "json_forbidden_key"]);
    expect(await facts()).toBe(before);
    expect(edge.logged()).toContain("The mapping of a source has thrown.");
    expect(edge.logged()).toContain("edge-sources.test.ts");
    expect(edge.logged()).not.toContain("c4n4ry");
  });

  test("is refused unread when it is larger than a delivery may be, which is less than other bodies", async () => {
    const before = await facts();
    const large = JSON.stringify({ ...payment(), pad: "x".repeat(limits.deliveryBytesMax) });
    const refused = await send(signed(large));
    expect([refused.status, await refused.json()]).toEqual([
      413,
      expect.objectContaining({ code: "payload_too_large", detail: expect.stringContaining("1048576") }),
    ]);
    expect(await facts()).toBe(before);
  });

  test("20 times in a row holds that source of that tenant back for 10 s, and nobody else", async () => {
    const bad = (): Promise<Response> =>
      send(signed(payment({ kind: "throws" }), { secret: whsec(2) }), "globex/sources/payments");
    for (let count = 0; count < 20; count++) expect((await bad()).status).toBe(422);
    const good = (): Promise<Response> =>
      send(signed(payment({ invoice: "g" }), { secret: whsec(2) }), "globex/sources/payments");
    const held = await good();
    expect([held.status, (await answerOf(held)).code]).toEqual([503, "busy"]);
    expect(held.headers.get("retry-after")).not.toBeNull();
    // Forged ones are refused as ever, and neither open nor close it.
    expect((await send(signed(payment(), { secret: whsec(9) }), "globex/sources/payments")).status).toBe(401);
    expect((await send(signed(payment({ invoice: "unaffected" })))).status).toBe(201);
  });
});

describe("on PostgreSQL", () => {
  let installation: Installation;
  let real: EdgeFixture;
  beforeAll(async () => {
    installation = await installEventplane();
    real = await startEdge({ app, store: installation });
    await real.tenant("acme");
  });
  afterAll(async () => {
    await real.close();
    await installation.close();
  });

  test("a delivery is one fact however often it comes, with its source in the log and in the hash", async () => {
    const id = `msg_${randomUUID()}`;
    const deliver = (): Promise<Response> =>
      fetch(`${real.url}/v1/tenants/acme/sources/payments`, signed(payment({ invoice: "real" }), { id }));
    const answers = await Promise.all(Array.from({ length: 20 }, deliver));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(19);
    const bodies = await Promise.all(answers.map(taken));
    const ids = new Set(bodies.map((body) => body.facts[0]?.id));
    expect(ids.size).toBe(1);
    const tenant = real.edge.platform.state.tenant("acme");
    if (tenant === undefined) throw new Error("no tenant");
    const [row] = await installation.reader.readByIds(tenant.id, [...ids].map(String));
    expect(row).toMatchObject({ kind: "fact", source: "payments", generation: 1, lifecycle: "live" });
    expect(row === undefined ? "absent" : real.verifier.verify(row)).toBeUndefined();
  });
});

describe("what is not proven", () => {
  const nobody = async (response: Response): Promise<unknown> => {
    const { requestId, ...problem } = await answerOf(response);
    expect(requestId).toEqual(expect.any(String));
    return { status: response.status, problem };
  };

  test("is refused with one answer: wrong secret, another tenant's, unknown tenant, unknown source, no secret, no signature", async () => {
    const before = [await facts(), await facts(globex)];
    const answers = [
      await send(signed(payment(), { secret: whsec(9) })),
      await send(signed(payment(), { secret: whsec(1) }), "globex/sources/payments"),
      await send(signed(payment(), { secret: whsec(2) })),
      await send(signed(payment()), "nobody/sources/payments"),
      await send(signed(payment()), "acme/sources/unknown"),
      await send(signed(payment()), "platform/sources/payments"),
      await send(signed(payment()), "acme/sources/broken"),
      await send({ method: "POST", headers: { "content-type": "application/json" }, body: "{}" }),
      await send({ ...signed(payment()), body: JSON.stringify(payment({ amount: 1_000_000 })) }),
    ];
    const [first, ...others] = await Promise.all(answers.map(nobody));
    expect(first).toMatchObject({ status: 401, problem: { code: "source_unverified" } });
    for (const other of others) expect(other).toEqual(first);
    expect([await facts(), await facts(globex)]).toEqual(before);
  });

  test("an API key is no signature, and a signature is no API key", async () => {
    const withKey = await send(call(acme.key, { body: payment() }));
    expect(withKey.status).toBe(401);
    const intents = await send(signed({ type: "invoice.pay", spec: { amount: 1, paid: true } }), "acme/intents");
    expect(intents.status).toBe(401);
  });

  test("is counted as a refusal of nobody, with no byte of the delivery", async () => {
    await send(signed(payment({ invoice: "canary-d3l1v3ry" }), { secret: whsec(9) }));
    await edge.edge.close();
    const platform = await edge.reader.read(PLATFORM_TENANT_ID, { limit: 1_000 });
    const refusals = platform.filter(
      ({ type, specText }) => type === "refusal.recorded" && specText.includes("source_unverified"),
    );
    expect(refusals.length).toBeGreaterThan(0);
    expect(refusals.map(({ specText }) => specText).join()).not.toContain("canary");
    expect(edge.logged()).not.toContain("canary-d3l1v3ry");
  });
});
