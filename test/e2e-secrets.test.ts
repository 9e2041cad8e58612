/** Attack 7 on a real `dev`: what a thief finds who reads the database, its files, the logs and every command line. */

import { readFileSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AdminClient, createClient } from "../src/client/index.js";
import { readContext } from "../src/plane/index.js";
import { buildCommand, evtctl, freePort, Served } from "./support/evtctl-process.js";

let folder = "";
let dataDir = "";
let dev: Served;
let admin: AdminClient;

beforeAll(async () => {
  buildCommand();
  folder = await mkdtemp(join(tmpdir(), "eventplane-secrets-"));
  dataDir = join(folder, "data");
  const options = { environment: { LOG_LEVEL: "debug" } };
  dev = Served.start(["dev", "--data-dir", dataDir], await freePort(), options);
  await dev.ready();
  await dev.says("Eventplane is ready");
  const adminKey = readFileSync(join(dataDir, "admin.key"), "utf8").trim();
  admin = createClient({ baseUrl: dev.url, apiKey: adminKey }).admin;
});
afterAll(async () => {
  await dev?.end();
  await rm(folder, { recursive: true, force: true });
});

/** The part of an API key that nobody may find: what follows its id. */
const secretOf = (apiKey: string): string => apiKey.slice("epk_00000000-0000-0000-0000-000000000000_".length);
const ask = (apiKey: string): Promise<Response> =>
  fetch(`${dev.url}/v1/tenants/dev/events`, { headers: { authorization: `Bearer ${apiKey}` } });

/** Every row of every table as text, as a dump would have it. */
async function dumped(): Promise<string> {
  const { superuser } = JSON.parse(readFileSync(join(dataDir, "postgres.secret"), "utf8"));
  const { port } = JSON.parse(readFileSync(join(dataDir, "plane.lock"), "utf8"));
  const client = new pg.Client({
    host: "127.0.0.1",
    port,
    user: "postgres",
    password: superuser,
    database: "eventplane",
  });
  await client.connect();
  try {
    const tables = await client.query<{ name: string }>(
      "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname <> 'information_schema'",
    );
    let text = "";
    for (const { name } of tables.rows) {
      const { rows } = await client.query<{ row: string }>(`select t::text as row from ${name} t`);
      text += `${name}\n${rows.map(({ row }) => row).join("\n")}\n`;
    }
    return text;
  } finally {
    await client.end();
  }
}

/** Files of the folder that hold one of the texts. */
async function filesWith(texts: readonly string[]): Promise<readonly string[]> {
  const entries = await readdir(dataDir, { recursive: true, withFileTypes: true });
  const found: string[] = [];
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const bytes = await readFile(path).catch(() => Buffer.alloc(0)); // PostgreSQL removes files while we look
    if (texts.some((text) => bytes.includes(text))) found.push(path.slice(dataDir.length + 1));
  }
  return found.sort();
}

async function commandLines(): Promise<string> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => ""));
  return (await Promise.all(lines)).join("\n");
}

describe("an API key", () => {
  it("is nowhere but where its owner put it: not in the database, its files, the logs, or a command line", async () => {
    const { id, key } = await admin.createKey("dev", { name: "stolen", grants: ["publisher", "reader", "subscriber"] });
    const environment = { EVENTPLANE_API_KEY: key, EVENTPLANE_URL: dev.url, EVENTPLANE_TENANT: "dev" };
    const spec = JSON.stringify({ name: "Acme", plan: "team", region: "eu" });
    expect((await evtctl(["publish", "organization.create", "--spec", spec, "--watch"], { environment })).status).toBe(
      0,
    );
    expect((await ask(`${key.slice(0, -1)}x`)).status).toBe(401);
    const secrets = [key, readContext(join(dataDir, "context.json")).apiKey].map(secretOf);
    expect(secrets.map(({ length }) => length)).toEqual([43, 43]);

    const dump = await dumped();
    expect(dump).toContain(id);
    expect(dump).toContain("stolen");
    for (const secret of secrets) {
      expect(dump).not.toContain(secret);
      expect(dev.output).not.toContain(secret);
      expect(await commandLines()).not.toContain(secret);
    }
    expect(await filesWith(secrets)).toEqual(["context.json"]);
    expect(await filesWith([id])).not.toEqual([]);
  });

  it("that is revoked is refused within a second", async () => {
    const { id, key } = await admin.createKey("dev", { name: "revoked", grants: ["reader"] });
    expect((await ask(key)).status).toBe(200);
    await admin.revokeKey("dev", id);
    const revokedMs = performance.now();
    let status = (await ask(key)).status;
    while (status === 200 && performance.now() - revokedMs < 3_000) status = (await ask(key)).status;
    expect(status).toBe(401);
    expect(performance.now() - revokedMs).toBeLessThan(1_000);
  });
});
