/** Personal data in a whole plane on PostgreSQL: nowhere in the clear but where they are read, and nowhere once erased. */
import { execFile } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { httpRecordedLog } from "../src/cli/controllers/http-recorded-log.js";
import { verifyLog } from "../src/cli/verify/verify-log.js";
import { createClient, type EventplaneClient, type ProjectionInfo, type SubjectClient } from "../src/client/index.js";
import { defineAggregate, defineApp, defineController, done, pending, redecide } from "../src/controller/index.js";
import { verifyLink } from "../src/event/index.js";
import { systemClock, systemRandom } from "../src/kernel/index.js";
import { createLogger, createMetrics } from "../src/observe/index.js";
import { PostgresDataKeys } from "../src/personal/index.js";
import { defineProjection, documents } from "../src/projection/index.js";
import { PostgresReader } from "../src/store/postgres/index.js";
import { dataKeyContract } from "../src/testing/index.js";
import { Relay } from "../src/transport/index.js";
import { MemoryTransport } from "../src/transport/memory/memory-transport.js";
import { PostgresRelayStore } from "../src/transport/postgres/index.js";
import { defineWorker } from "../src/worker/index.js";
import { buildCommand, evtctl } from "./support/evtctl-process.js";
import { PlaneFixture, type PlaneTenant, until } from "./support/plane-fixture.js";
import { findBinDir } from "./support/postgres-cluster.js";
import { type Installation, installEventplane } from "./support/postgres-installation.js";

dataKeyContract({ describe, it, beforeAll, afterAll }, "PostgreSQL", async () => {
  const installation = await installEventplane();
  const keys = new PostgresDataKeys(installation.pool("edge"));
  return { keys, edge: installation.edge, close: () => installation.close() };
});

const canary = "Ada-Lovelace-1815";
const personal = z.string().meta({ "x-eventplane-personal": { subject: "aggregateId" } });
const email = z.email().meta({ "x-eventplane-personal": { subject: "aggregateId" } });
const calls: object[] = [];

const customer = defineAggregate("customer", {
  spec: z.object({ email, name: personal, mode: z.string().optional() }),
  status: { greeting: z.object({ to: personal, id: z.string() }) },
  intents: { create: { creates: true }, change: {} },
  guard: (_resource, intent) => (intent.spec["name"] === `${canary} refused` ? "No." : undefined),
});
const mailer = defineWorker({
  name: "mailer",
  input: z.object({ to: email, name: personal, mode: z.string() }),
  output: z.object({ id: z.string(), echo: z.string() }),
  retry: { attempts: 1 },
  run: ({ input }) => {
    calls.push(input);
    if (input.mode === "breaks") throw new Error(`cannot reach ${input.to}`);
    return { id: "m_1", echo: input.name };
  },
});
const greeting = defineController({
  name: "greeting",
  watches: customer,
  reconcile: ({ resource: { spec }, effects }) => {
    const sent = effects.get(mailer, { to: spec.email, name: spec.name, mode: spec.mode ?? "works" });
    return sent.ok === undefined ? pending() : done({ to: spec.name, id: sent.ok.id });
  },
});
const names = defineProjection({
  name: "names",
  tables: { customers: documents(z.object({ name: z.string() })) },
  apply: {
    "customer.create": (event, { customers }) =>
      customers.merge(event.aggregateId, { name: String(event.spec["name"]) }),
  },
});
const app = defineApp({
  version: "v1",
  aggregates: [customer],
  controllers: [greeting],
  workers: [mailer],
  projections: [names],
});

let plane: PlaneFixture;
let acme: PlaneTenant;
let subjects: SubjectClient;
beforeAll(async () => {
  plane = await PlaneFixture.open({}, { app });
  acme = await plane.tenant("acme");
  subjects = createClient({ baseUrl: plane.url, apiKey: plane.adminKey }).admin.subjects;
}, 60_000);
afterAll(async () => {
  await plane.close();
});

const spec = { email: `${canary}@example.com`, name: canary };
const publish = (aggregateId: string, more: object = {}, id?: string) =>
  acme.client.publish({
    type: "customer.create",
    aggregateId,
    spec: { ...spec, ...more },
    ...(id === undefined ? {} : { id }),
  });
const ready = (aggregateId: string) =>
  until(`${aggregateId} to be ready`, async () => {
    const found = await acme.client.resource("customer", aggregateId).catch(() => undefined);
    return found?.phase === "Ready" ? found : undefined;
  });

/** What pg_dump makes of the whole database. */
async function dumped({ database: { superuserUrl } }: Installation): Promise<string> {
  const program = join(findBinDir() ?? "", "pg_dump");
  const { stdout } = await promisify(execFile)(program, ["-d", superuserUrl], { maxBuffer: 268_435_456 });
  expect(stdout).toContain("COPY eventplane.data_keys");
  return stdout;
}

const base64Starts = [0, 1, 2].map((before) =>
  Buffer.from(`${" ".repeat(before)}Lovelace`)
    .toString("base64")
    .slice(before + 1, -4),
);

/** The canary is in the text neither as it is nor as bytes are written. */
function expectNoCanary(text: string): void {
  const plain = "Lovelace";
  for (const form of [plain, encodeURIComponent(canary), Buffer.from(plain).toString("hex"), ...base64Starts])
    expect(text.includes(form), `${form} is nowhere`).toBe(false);
}

/** What a reader gets from everywhere. */
async function readEverywhere(client: EventplaneClient, key: string): Promise<readonly string[]> {
  const get = async (path: string, headers: Record<string, string> = {}): Promise<string> => {
    const answer = await fetch(`${plane.url}/v1/tenants/acme/${path}`, {
      headers: { authorization: `Bearer ${key}`, ...headers },
    });
    return answer.text();
  };
  const { events } = JSON.parse(await get("events?limit=500")) as { events: { id: string; correlationId: string }[] };
  const [first] = events;
  const subscribed: unknown[] = [];
  for await (const item of client.subscribe({ after: 0 })) {
    subscribed.push(item);
    if (subscribed.length >= events.length) break;
  }
  return [
    JSON.stringify(events),
    JSON.stringify(subscribed),
    await get("events?limit=500", { accept: "application/cloudevents-batch+json" }),
    await get(`events/${first?.id}`),
    await get("events", { accept: "application/x-ndjson" }),
    await get("streams/customer/ada"),
    await get(`traces/${first?.correlationId}`),
    await get("resources/customer"),
    await get("resources/customer/ada"),
    await get("projections/names?table=customers"),
    await get(`events/${first?.id}/proof`),
    await get("events?include=proof"),
  ];
}

/** What must not change with an erasure: the log as it verifies, its decisions made again, and a projection folded anew. */
async function standing() {
  await plane.idle(acme.id);
  const tenant = "acme";
  const verified = await verifyLog(acme.client, {
    tenant,
    rootPublicKey: plane.plane.rootPublicKey,
    onEvents: () => undefined,
  });
  const decided = await redecide({ app, log: httpRecordedLog(acme.client), clock: systemClock });
  const { projections } = createClient({ baseUrl: plane.url, apiKey: plane.adminKey }).admin;
  const wanted = await projections.ask("rebuild", "names", { tenant });
  const check = await until("the rebuild", async () => {
    const now = (await projections.get("names", { tenant })) as ProjectionInfo; // a tenant was named
    return now.requests >= wanted && now.fresh === null ? (now.check ?? undefined) : undefined;
  });
  return { verified, decided, check };
}
let before: Awaited<ReturnType<typeof standing>> | undefined;

describe("personal data", () => {
  it("are stored encrypted everywhere, in copies too, and logged nowhere", async () => {
    await publish("ada");
    await ready("ada");
    await publish("broken", { mode: "breaks" });
    await until(
      "the dead letter",
      async () => (await plane.installation.asSuperuser("select 1 from eventplane.work where state = 'dead'"))[0],
    );
    await expect(publish("no", { name: `${canary} refused` })).rejects.toMatchObject({ code: "guard_refused" });
    await expect(publish("no", { email: canary })).rejects.toMatchObject({ code: "schema_violation" });
    const dump = await dumped(plane.installation);
    expect(dump).toContain("sealed:v1:");
    for (const text of [dump, plane.logged, await (await fetch(`${plane.url}/metrics`)).text()]) expectNoCanary(text);
  });

  it("are open to whoever may read, and to workers", async () => {
    const resource = await ready("ada");
    expect(resource).toMatchObject({ spec, status: { greeting: { to: canary, id: "m_1" } } });
    expect(calls[0]).toEqual({ to: spec.email, name: canary, mode: "works" });
    const everywhere = await readEverywhere(acme.client, acme.key);
    for (const text of everywhere.slice(0, -2)) expect(text).toContain(canary);
    // What is proven is what is stored.
    for (const text of everywhere.slice(-2)) expect(text).not.toContain(canary);
    expect(await plane.plane.as({ tenant: "acme", principal: { id: "app" } }).resource(customer, "ada")).toMatchObject({
      spec,
    });
  });

  it("are the same content again for an honest retry, at every edge and after restarts", async () => {
    const id = "0190b7c2-1111-7000-8000-00000000000a";
    const first = await publish("retried", {}, id);
    const other = await plane.start();
    const at = createClient({ baseUrl: other.url, tenant: "acme", apiKey: acme.key });
    const again = await at.publish({ type: "customer.create", aggregateId: "retried", spec, id });
    expect(again).toEqual({ ...first, repeated: true });
    const changed = { type: "customer.create", aggregateId: "retried", spec: { ...spec, name: "Eve" }, id };
    await expect(at.publish(changed)).rejects.toMatchObject({ code: "content_mismatch" });
    await other.close();
  });

  it("of somebody else stay when a subject is erased, whose own are gone within a second at every edge", async () => {
    await publish("bob", { name: "Bob-1", email: "bob@example.com" });
    await ready("bob");
    const id = "0190b7c2-1111-7000-8000-00000000000b";
    await acme.client.publish({ type: "customer.change", aggregateId: "ada", spec: { name: canary }, id });
    const other = await plane.start();
    const at = createClient({ baseUrl: other.url, tenant: "acme", apiKey: acme.key });
    expect((await at.resource("customer", "ada")).spec).toMatchObject({ name: canary });

    before = await standing();
    expect(before).toMatchObject({ decided: { differing: { decisions: 0 } }, check: { isSame: true } });
    expect((await at.resource("customer", "ada")).spec).toMatchObject({ name: canary });
    for (const subject of ["broken", "retried", "ada"]) {
      expect(await subjects.erase(subject, { tenant: "acme" })).toMatchObject({ repeated: false });
      expect(await subjects.erase(subject, { tenant: "acme" })).toMatchObject({ repeated: true });
    }
    const erasedMs = performance.now();
    let lastOpenMs = 0;
    await until("the other edge to forget", async () => {
      const askedMs = performance.now() - erasedMs;
      const { spec: found } = await at.resource("customer", "ada");
      if (JSON.stringify(found).includes("$erased")) return true;
      lastOpenMs = askedMs;
      return undefined;
    });
    expect(lastOpenMs).toBeLessThan(1_000);
    const everywhere = (await readEverywhere(acme.client, acme.key)).join();
    expect(everywhere).not.toContain("Lovelace");
    expect(everywhere).toContain("Bob-1");
    expect((await acme.client.resource("customer", "ada")).spec).toEqual({
      email: { $erased: true },
      name: { $erased: true },
    });
    const retry = { type: "customer.change", aggregateId: "ada", spec: { name: canary }, id };
    await expect(acme.client.publish(retry)).rejects.toMatchObject({
      code: "subject_erased",
      details: { status: 410 },
    });
    const { id: _, ...anew } = retry;
    await expect(at.publish(anew)).rejects.toMatchObject({ code: "subject_erased" });
    await other.close();
  });

  it("that were erased are in no row, log line or answer, and the log still verifies", async () => {
    const dump = await dumped(plane.installation);
    for (const text of [dump, plane.logged, ...(await readEverywhere(acme.client, acme.key))]) expectNoCanary(text);
    const kept = await all(subjects.kept({ tenant: "acme" }));
    expect(kept.map(({ subject }) => subject)).toEqual(["bob"]);
    const gone = await all(subjects.erased({ tenant: "acme" }));
    expect(gone.map(({ subject }) => subject)).toEqual(["broken", "retried", "ada"]);
    expect(await subjects.get("ada", { tenant: "acme" })).toMatchObject({ state: "erased" });
    expect(await subjects.get("bob", { tenant: "acme" })).toMatchObject({ state: "kept" });
    await expect(subjects.get("nobody", { tenant: "acme" })).rejects.toMatchObject({ code: "not_found" });
    const verifier = await plane.verifier();
    let link: ReturnType<typeof verifyLink> | undefined;
    for (const row of await plane.log(acme.id)) {
      link = verifyLink(row, link);
      verifier.verify(row);
    }
    const [erasure] = (await plane.log(acme.id)).filter(({ type }) => type === "subject.erased");
    expect(erasure).toMatchObject({ aggregateId: "broken", specText: '{"subject":"broken"}' });
  });

  it("that were erased change no projection that is folded anew, no decision that is made again, and no proof", async () => {
    const { decided, check, verified } = await standing();
    expect(decided.differing.decisions).toBe(0);
    expect(decided.decisions).toBe(before?.decided.decisions);
    expect(check).toMatchObject({ isSame: true, live: before?.check.live, fresh: before?.check.live });
    expect(verified.position).toBeGreaterThan(before?.verified.position ?? 0);
  });

  it("are handed to subscribers of a transport as they are stored: sealed", async () => {
    const transport = new MemoryTransport();
    const bodies: string[] = [];
    await transport.subscribe("eventplane.>", ({ body }) => void bodies.push(Buffer.from(body).toString("utf8")));
    const pool = plane.installation.pool("relay");
    const relay = new Relay({
      open: async () => transport,
      store: new PostgresRelayStore(pool, { holder: randomUUID(), refillMs: 3_600_000 }),
      reader: new PostgresReader(pool),
      clock: systemClock,
      random: systemRandom,
      logger: createLogger({ level: "silent" }),
      metrics: createMetrics(),
      pollMs: 20,
    });
    const stop = new AbortController();
    const running = relay.run(stop.signal);
    await until("bob to arrive", async () => bodies.find((body) => body.includes('"aggregateId":"bob"')));
    stop.abort();
    await running;
    expect(bodies.join()).toContain("sealed:v1:");
    expect(bodies.join()).not.toMatch(/Bob-1|Lovelace/);
  });

  it("are looked at and erased from the terminal too", async () => {
    buildCommand();
    const environment = { EVENTPLANE_URL: plane.url, EVENTPLANE_API_KEY: plane.adminKey, EVENTPLANE_TENANT: "acme" };
    await publish("carl", { name: "Carl-1", email: "carl@example.com" });
    const kept = await evtctl(["subject", "list"], { environment });
    expect(kept.stdout).toMatch(/SUBJECT.*STATE[\s\S]*bob[\s\S]*carl/);
    const shown = await evtctl(["subject", "show", "carl", "-o", "json"], { environment });
    expect(JSON.parse(shown.stdout)).toMatchObject({ subject: "carl", state: "kept" });
    const erase = ["subject", "erase", "acme", "carl"];
    expect((await evtctl(erase, { environment })).stdout).toContain("data subject carl is erased: event ");
    expect((await evtctl(erase, { environment })).stdout).toContain("data subject carl had been erased: event ");
    const erased = await evtctl(["subject", "list", "--erased", "-o", "json"], { environment });
    expect((JSON.parse(erased.stdout) as { subject: string }[]).map(({ subject }) => subject)).toContain("carl");
  });

  it("are wrapped anew under a new key-encryption key, and then the old one opens nothing", async () => {
    const newer = randomBytes(32).toString("base64url");
    const keksOf = async (): Promise<readonly string[]> => {
      const rows = await plane.installation.asSuperuser<{ kek_id: string }>("select kek_id from eventplane.data_keys");
      return rows.map(({ kek_id }) => kek_id);
    };
    const [before] = await keksOf();
    await expect(plane.start({ personalKeys: [newer] })).rejects.toMatchObject({ code: "key_file_invalid" });
    // Half done: one process knows the new key and does not wrap with it yet, another wraps all under it.
    const prepared = await plane.start({ personalKeys: [plane.personalKey, newer] });
    const rotating = await plane.start({ personalKeys: [newer, plane.personalKey] });
    await until("the keys to be wrapped anew", async () =>
      (await keksOf()).includes(before ?? "") ? undefined : true,
    );
    const half = createClient({ baseUrl: prepared.url, tenant: "acme", apiKey: acme.key });
    expect((await half.resource("customer", "bob")).spec).toMatchObject({ name: "Bob-1" });
    await half.publish({ type: "customer.change", aggregateId: "bob", spec: { name: "Bob-2" } });
    await prepared.close();
    await rotating.close();
    await expect(plane.start()).rejects.toMatchObject({ code: "key_file_invalid" });
    const rotated = await plane.start({ personalKeys: [newer] });
    const at = createClient({ baseUrl: rotated.url, tenant: "acme", apiKey: acme.key });
    expect((await at.resource("customer", "bob")).spec).toMatchObject({ name: "Bob-2" });
    await rotated.close();
  });
});

async function all<Item>(items: AsyncIterable<Item>): Promise<readonly Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}
