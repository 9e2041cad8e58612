/** `evtctl start` with controllers that hang, hoard and exit: they cost themselves, and nobody else (P13). */
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createClient, type EventplaneClient } from "../src/client/index.js";
import { buildCommand, evtctl, freePort, Served, until } from "./support/evtctl-process.js";
import { createTestDatabase, type TestDatabase } from "./support/postgres-server.js";

const config = fileURLToPath(new URL("./support/threads.config.ts", import.meta.url));

let folder = "";
let dataDir = "";
let database: TestDatabase;
let environment: Readonly<Record<string, string>> = {};
let served: Served;
let client: EventplaneClient;
let neighbour: EventplaneClient;

beforeAll(async () => {
  buildCommand();
  folder = await mkdtemp(join(tmpdir(), "eventplane-threads-"));
  dataDir = join(folder, "data");
  database = await createTestDatabase();
  await writeFile(join(folder, "owner.url"), database.ownerUrl, { mode: 0o600 });
  environment = {
    DATABASE_URL_FILE: join(folder, "owner.url"),
    EVENTPLANE_DATABASE__ROLE_PREFIX: database.rolePrefix,
    EVENTPLANE_DATA__DIR: dataDir,
    EVENTPLANE_RUNTIME__THREADS: "2",
  };
  expect((await evtctl(["migrate", "up"], { environment })).status).toBe(0);
  served = Served.start(["start", "--config", config], await freePort(), { environment });
  await served.ready();
  const adminKey = readFileSync(join(dataDir, "admin.key"), "utf8").trim();
  const { admin } = createClient({ baseUrl: served.url, apiKey: adminKey });
  await admin.createTenant({ slug: "acme" });
  const { key } = await admin.createKey("acme", { name: "ci", grants: ["publisher", "reader", "subscriber"] });
  client = createClient({ baseUrl: served.url, tenant: "acme", apiKey: key, attemptsMax: 10 });
  await admin.createTenant({ slug: "neighbour" });
  const other = await admin.createKey("neighbour", { name: "ci", grants: ["publisher", "reader", "subscriber"] });
  neighbour = createClient({ baseUrl: served.url, tenant: "neighbour", apiKey: other.key, attemptsMax: 10 });
});
afterAll(async () => {
  await served?.end();
  await database?.drop();
  await rm(folder, { recursive: true, force: true });
});

function create(aggregateId: string, mode: string): Promise<unknown> {
  return client.publish({ type: "job.create", aggregateId, spec: { mode } });
}

async function phaseOf(aggregateId: string, of: EventplaneClient = client): Promise<string> {
  for await (const resource of of.resources("job")) if (resource.aggregateId === aggregateId) return resource.phase;
  return "none";
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${served.url}/metrics`)).text();
  return Number(
    text
      .split("\n")
      .find((line) => line.startsWith(name))
      ?.split(" ")
      .at(-1) ?? Number.NaN,
  );
}

/** Log entries of the process that say that a controller failed on a resource. */
function failuresOf(aggregateId: string): readonly Record<string, unknown>[] {
  return served.output
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((entry) => entry.aggregateId === aggregateId && entry.code !== undefined);
}

describe("a controller in a thread that looks another resource up", { timeout: 120_000 }, () => {
  const lookedUp = async (tenant: EventplaneClient): Promise<unknown> =>
    (await tenant.resource("job", "looker")).status.worker;
  const untilSeen = (tenant: EventplaneClient, wanted: object): Promise<unknown> =>
    vi.waitFor(async () => expect(await lookedUp(tenant)).toMatchObject(wanted), { timeout: 20_000, interval: 50 });

  it("is woken when that comes to be and when it changes, sees it as it is then, and nothing of another tenant", async () => {
    expect(await metric("eventplane_controller_threads")).toBe(2);
    // A status of nulls is empty: it is merged as a patch.
    for (const tenant of [client, neighbour]) {
      await tenant.publish({ type: "job.create", aggregateId: "looker", spec: { mode: "looks-up" } });
      await vi.waitFor(async () => expect(await lookedUp(tenant)).toEqual({}), { timeout: 20_000, interval: 50 });
    }
    await create("plain", "plain");
    await untilSeen(client, { other: { seen: 1 } });
    await client.publish({ type: "job.change", aggregateId: "plain", spec: { text: "again" } });
    await untilSeen(client, { other: { seen: 2 } });
    expect((await client.resource("job", "looker")).phase).toBe("Ready");
    expect(await lookedUp(neighbour)).toEqual({});

    const decided: number[] = [];
    for await (const { decision } of client.stream("job", "looker")) {
      if (decision?.component === "worker") decided.push(decision.lookups?.["job/plain"] ?? Number.NaN);
    }
    // Each decision says which version it saw: none, and then ever later ones.
    expect(decided[0]).toBe(0);
    expect(decided.length).toBeGreaterThanOrEqual(3);
    expect(decided).toEqual([...new Set(decided)].sort((one, other) => one - other));
    const asked: unknown[] = [];
    for await (const { decision } of neighbour.stream("job", "looker")) asked.push(decision?.lookups);
    expect(asked.filter((lookups) => lookups !== undefined)).toEqual([{ "job/plain": 0 }]);
  });
});

describe("a controller in `start` that does not return", { timeout: 120_000 }, () => {
  it("becomes a dead letter that names file and line, while others are made ready and the edge answers", async () => {
    await create("hangs", "hangs");
    await until(
      async () => failuresOf("hangs").length > 0,
      20_000,
      () => served.output,
    );
    const startMs = performance.now();
    await Promise.all(Array.from({ length: 10 }, (_, n) => create(`calm-${n}`, "plain")));
    await until(
      async () => (await phaseOf("calm-9")) === "Ready",
      40_000,
      () => "calm-9 is ready",
    );
    expect((await fetch(`${served.url}/livez`)).ok).toBe(true);
    expect(await phaseOf("hangs")).not.toBe("Ready");
    expect(performance.now() - startMs).toBeLessThan(40_000);

    await until(
      async () => (await phaseOf("hangs")) === "Failed",
      60_000,
      () => served.output,
    );
    const failures = failuresOf("hangs");
    expect(failures).toHaveLength(5);
    for (const failure of failures) {
      expect(failure).toMatchObject({ controller: "worker", code: "reconcile_timeout" });
      expect(failure.at).toMatch(/test\/support\/threads\.config\.ts:\d+:\d+$/);
      expect(String(failure.reason)).toContain("Controller worker did not return within 400 ms on job/hangs");
    }
    expect(failures.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5]);
    expect(failures.at(-1)?.message).toContain("dead letter");
    expect(await metric('eventplane_controller_threads_lost_total{reason="timeout"}')).toBe(5);
    // The controllers beside it did their part on the same resource.
    const { status } = await client.resource("job", "hangs");
    expect(status).toMatchObject({ calm: { seen: 1 } });
  });

  it("or that takes its thread with it, too; the threads come back", async () => {
    await create("exits", "exits");
    await until(
      async () => (await phaseOf("exits")) === "Failed",
      60_000,
      () => served.output,
    );
    const failures = failuresOf("exits");
    expect(failures.map(({ code }) => code)).toEqual(Array.from({ length: 5 }, () => "reconcile_failed"));
    expect(await metric('eventplane_controller_threads_lost_total{reason="crash"}')).toBe(5);
    await until(
      async () => (await metric("eventplane_controller_threads ")) === 2,
      15_000,
      () => "both threads are there",
    );
    const ready = (await (await fetch(`${served.url}/readyz`)).json()) as { degraded?: readonly string[] };
    expect(JSON.stringify(ready)).not.toContain("controller_threads");
    await create("after", "plain");
    await until(
      async () => (await phaseOf("after")) === "Ready",
      40_000,
      () => "after is ready",
    );
  });

  it("for one tenant again and again does not keep another tenant waiting", async () => {
    await Promise.all(Array.from({ length: 40 }, (_, n) => create(`hangs-${n}`, "hangs")));
    await until(
      async () => failuresOf("hangs-0").length + failuresOf("hangs-1").length > 0,
      30_000,
      () => served.output,
    );
    const startMs = performance.now();
    for (let n = 0; n < 5; n++) {
      const published = { type: "job.create", aggregateId: `job-${n}`, spec: { mode: "plain" } };
      await neighbour.publish(published);
    }
    await until(
      async () => (await phaseOf("job-4", neighbour)) === "Ready",
      20_000,
      () => "job-4 of the other tenant is ready",
    );
    // In turn, the 40 would hold two threads for 40 s and more.
    expect(performance.now() - startMs).toBeLessThan(20_000);
    expect(await phaseOf("hangs-39")).not.toBe("Ready");
  });

  it("ends in order within its time", async () => {
    await create("last", "hangs");
    const { status, ms } = await served.end();
    expect(status).toBe(0);
    expect(ms).toBeLessThan(10_000);
  });
});

describe("an application that loads in the main thread only", () => {
  it("stops the start with what is wrong", async () => {
    const file = join(folder, "eventplane.config.ts");
    const text = `import { isMainThread } from "node:worker_threads";
import { defineAggregate, defineApp } from "eventplane";
if (!isMainThread) throw new Error("no licence for threads");
export default defineApp({ aggregates: [defineAggregate("errand", { spec: { type: "object" }, intents: { create: { creates: true } } })] });
`;
    await writeFile(file, text);
    const started = await evtctl(["start", "--config", file, "--port", "0"], { environment });
    expect(started.status).not.toBe(0);
    expect(started.stderr).toContain("error config_invalid");
    expect(started.stderr).toContain("no licence for threads");
    const alone = { ...environment, EVENTPLANE_RUNTIME__THREADS: "0" };
    const inOne = Served.start(["start", "--config", file], await freePort(), { environment: alone });
    await inOne.ready();
    expect((await inOne.end()).status).toBe(0);
  });
});
