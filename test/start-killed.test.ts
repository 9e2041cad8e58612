/** Two `evtctl start` on one PostgreSQL, one of them killed in the middle of its work: the other does the rest, once. */
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createClient, type EventplaneClient } from "../src/client/index.js";
import { buildCommand, evtctl, freePort, Served } from "./support/evtctl-process.js";
import { createTestDatabase, type TestDatabase } from "./support/postgres-server.js";

const config = fileURLToPath(new URL("../examples/organizations/eventplane.config.ts", import.meta.url));
const organizations = 200;
/** A killed process keeps its leases for 30 s. */
const settleMsMax = 60_000;

let folder = "";
let dataDir = "";
let database: TestDatabase;
let environment: Readonly<Record<string, string>> = {};
const running: Served[] = [];

beforeAll(async () => {
  buildCommand();
  folder = await mkdtemp(join(tmpdir(), "eventplane-killed-"));
  dataDir = join(folder, "data");
  database = await createTestDatabase();
  await writeFile(join(folder, "owner.url"), database.ownerUrl, { mode: 0o600 });
  environment = {
    DATABASE_URL_FILE: join(folder, "owner.url"),
    EVENTPLANE_DATABASE__ROLE_PREFIX: database.rolePrefix,
    EVENTPLANE_DATA__DIR: dataDir,
  };
});
afterAll(async () => {
  await Promise.all(running.map((served) => served.end()));
  await database?.drop();
  await rm(folder, { recursive: true, force: true });
});

async function startOne(): Promise<Served> {
  const served = Served.start(["start", "--config", config], await freePort(), { environment });
  running.push(served);
  await served.ready();
  return served;
}

async function publishAll(client: EventplaneClient): Promise<void> {
  const create = (n: number): Promise<unknown> =>
    client.publish({
      type: "organization.create",
      aggregateId: `o-${n}`,
      spec: { name: `Customer ${n}`, plan: "team", region: "eu" },
    });
  for (let from = 0; from < organizations; from += 10) {
    await Promise.all(Array.from({ length: 10 }, (_, index) => create(from + index)));
  }
}

async function readyCount(client: EventplaneClient): Promise<number> {
  let ready = 0;
  for await (const { phase } of client.resources("organization")) if (phase === "Ready") ready += 1;
  return ready;
}

it("kill -9 of one of two processes loses nothing and does nothing twice", { timeout: 150_000 }, async () => {
  expect((await evtctl(["migrate", "up", "--config", config], { environment })).status).toBe(0);
  const victim = await startOne();
  const survivor = await startOne();
  const adminKey = readFileSync(join(dataDir, "admin.key"), "utf8").trim();
  const { admin } = createClient({ baseUrl: survivor.url, apiKey: adminKey });
  await admin.createTenant({ slug: "acme" });
  const { key } = await admin.createKey("acme", { name: "ci", grants: ["publisher", "reader", "subscriber"] });
  const client = createClient({ baseUrl: survivor.url, tenant: "acme", apiKey: key, attemptsMax: 10 });

  const publishing = publishAll(client);
  await expect.poll(() => readyCount(client), { timeout: 20_000, interval: 50 }).toBeGreaterThan(0);
  await victim.end("SIGKILL");
  await publishing;
  await expect.poll(() => readyCount(client), { timeout: settleMsMax, interval: 500 }).toBe(organizations);

  const readyFacts = new Map<string, number>();
  let events = 0;
  for await (const { position, type, aggregateId } of client.read({})) {
    events += 1;
    expect(position).toBe(events);
    if (type === "organization.ready") readyFacts.set(aggregateId, (readyFacts.get(aggregateId) ?? 0) + 1);
  }
  expect([...readyFacts.values()]).toEqual(Array.from({ length: organizations }, () => 1));

  const rootKey = readFileSync(join(dataDir, "keys", "root.pub"), "utf8").trim();
  const verified = await evtctl(["verify", "--root-key", rootKey], {
    environment: { EVENTPLANE_URL: survivor.url, EVENTPLANE_TENANT: "acme", EVENTPLANE_API_KEY: key },
  });
  expect(verified.stderr).toBe("");
  expect(verified.stdout).toContain(`chain 1…${events} holds, ${events} proofs hold`);
});
