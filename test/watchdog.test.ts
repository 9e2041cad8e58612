/** The watchdog of the event loop: what holds the main thread is named while it does, with file and line. */
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type EventplaneClient } from "../src/client/index.js";
import { buildCommand, evtctl, freePort, Served } from "./support/evtctl-process.js";
import { createTestDatabase, type TestDatabase } from "./support/postgres-server.js";

const config = fileURLToPath(new URL("./support/threads.config.ts", import.meta.url));

let folder = "";
let dataDir = "";
let database: TestDatabase;
let environment: Readonly<Record<string, string>> = {};
let served: Served;

beforeAll(async () => {
  buildCommand();
  folder = await mkdtemp(join(tmpdir(), "eventplane-watchdog-"));
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
  await served?.end("SIGKILL");
  await database?.drop();
  await rm(folder, { recursive: true, force: true });
});

/** Entries of the watchdog's own thread. */
function told(): readonly Record<string, unknown>[] {
  return served.output
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ code }) => code === "event_loop_held");
}

async function degraded(): Promise<readonly string[]> {
  const answer = (await (await fetch(`${served.url}/readyz`)).json()) as { readonly degraded: readonly string[] };
  return answer.degraded;
}

describe("in `dev`, where controllers run in the main thread", { timeout: 120_000 }, () => {
  let client: EventplaneClient;

  it("one that holds the event loop is named while it does, and afterwards in /readyz", async () => {
    served = Served.start(["dev", "--config", config], await freePort(), { environment });
    await served.ready();
    await served.says("Eventplane is ready");
    const { apiKey } = JSON.parse(readFileSync(join(dataDir, "context.json"), "utf8")) as { apiKey: string };
    client = createClient({ baseUrl: served.url, tenant: "dev", apiKey, attemptsMax: 10 });
    expect(await degraded()).toEqual([]);
    expect(told()).toEqual([]);

    // Marks change nothing of what is decided: look-ups, guards and effects work.
    for (const mode of ["plain", "looks-up", "effect"])
      await client.publish({ type: "job.create", aggregateId: mode, spec: { mode } });
    const phases = async (): Promise<readonly string[]> => {
      const found: string[] = [];
      for await (const { phase } of client.resources("job")) found.push(phase);
      return found;
    };
    await expect.poll(phases, { timeout: 60_000 }).toEqual(["Ready", "Ready", "Ready"]);
    await expect(
      client.publish({ type: "job.change", aggregateId: "plain", spec: { mode: "unwanted" } }),
    ).rejects.toThrow("Nobody wants it.");

    await client.publish({ type: "job.create", aggregateId: "slow", spec: { mode: "holds" } });
    await served.says('"code":"event_loop_held"', 20_000);
    const [entry] = told();
    expect(entry).toMatchObject({
      level: "error",
      role: "watchdog",
      controller: "worker",
      aggregateType: "job",
      aggregateId: "slow",
      tenantId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      at: expect.stringMatching(/test\/support\/threads\.config\.ts:\d+:\d+$/),
    });
    expect(entry?.heldMs).toBeGreaterThanOrEqual(1_000);
    expect(entry?.heldMs).toBeLessThan(2_500);
    expect(String(entry?.message)).toMatch(
      /^Controller worker has held the event loop for \d\.\d s on job\/slow at \//,
    );
    await expect
      .poll(degraded, { timeout: 60_000 })
      .toEqual([expect.stringMatching(/^event_loop_held: controller worker \d+\.\d s$/)]);
    await served.says("The event loop was held; nobody was served meanwhile");
  });

  it("one that never returns is told again and again, and how to end the process", async () => {
    const endless = (): ReturnType<typeof told> => told().filter(({ aggregateId }) => aggregateId === "endless");
    await client.publish({ type: "job.create", aggregateId: "endless", spec: { mode: "hangs" } });
    await expect.poll(() => endless().length, { timeout: 60_000 }).toBeGreaterThanOrEqual(2);
    const [first, second] = endless();
    expect(Number(second?.heldMs)).toBeGreaterThanOrEqual(2 * Number(first?.heldMs));
    expect(String(second?.message)).toContain(`kill -9 ${served.child.pid} ends the process`);
    await expect(fetch(`${served.url}/readyz`, { signal: AbortSignal.timeout(1_000) })).rejects.toThrow(/timeout/);
    await served.end("SIGKILL");
  });
});

describe("in `start`, where workers run in the main thread", { timeout: 120_000 }, () => {
  it("one whose call does not wait but computes is named", async () => {
    expect((await evtctl(["migrate", "up"], { environment })).status).toBe(0);
    served = Served.start(["start", "--config", config], await freePort(), { environment });
    await served.ready();
    const { apiKey } = JSON.parse(readFileSync(join(dataDir, "context.json"), "utf8")) as { apiKey: string };
    const client = createClient({ baseUrl: served.url, tenant: "dev", apiKey, attemptsMax: 10 });
    await client.publish({ type: "job.create", aggregateId: "slow-call", spec: { mode: "effect" } });
    await served.says('"code":"event_loop_held"', 30_000);
    expect(told().find(({ worker }) => worker === "mail")).toMatchObject({
      at: expect.stringMatching(/test\/support\/threads\.config\.ts:\d+:\d+$/),
      message: expect.stringContaining("Worker mail has held the event loop"),
    });
    await expect
      .poll(degraded, { timeout: 30_000 })
      .toContainEqual(expect.stringContaining("event_loop_held: worker mail"));
    expect((await served.end()).status).toBe(0);
  });
});
