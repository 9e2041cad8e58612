/** kill -9 of PostgreSQL under load, dump and restore into a fresh cluster, and what broken connections become. */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chainHash, type EventRow, eventDigest, genesisHash } from "../src/event/index.js";
import { isEventplaneError, type TenantId } from "../src/kernel/index.js";
import type { LogReader, Receipt } from "../src/store/index.js";
import { createPool, type LoginRole, loginRoles, migrate, PostgresAppender } from "../src/store/postgres/index.js";
import {
  appendOf,
  createTestSigner,
  creating,
  draftDerived,
  draftIntent,
  newTenantId,
  signAppend,
} from "../src/testing/index.js";
import { type Installation, installEventplane, openInstallation } from "./support/postgres-installation.js";
import { type PostgresCluster, startPostgres } from "./support/postgres-server.js";

const run = promisify(execFile);
const signer = createTestSigner("edge");
const intent = (tenantId: TenantId): ReturnType<typeof signAppend> =>
  signAppend(signer, appendOf(creating(draftIntent({ tenantId }))));

async function wholeLog(reader: LogReader, tenantId: TenantId): Promise<readonly EventRow[]> {
  const rows: EventRow[] = [];
  for (;;) {
    const page = await reader.read(tenantId, { after: rows.length, limit: 1000 });
    rows.push(...page);
    if (page.length < 1000) return rows;
  }
}

/** Positions dense from 1 and every hash that of the definition. */
function expectChain(tenantId: TenantId, rows: readonly EventRow[]): void {
  let previousHash: Uint8Array = genesisHash(tenantId, 1);
  for (const [index, row] of rows.entries()) {
    expect(row.position).toBe(index + 1);
    expect(Buffer.from(row.previousHash)).toEqual(Buffer.from(previousHash));
    previousHash = chainHash(row, eventDigest(row));
    expect(Buffer.from(row.hash)).toEqual(previousHash);
  }
}

describe("kill -9 of the database under load", () => {
  let cluster: PostgresCluster;
  let installation: Installation;
  beforeAll(async () => {
    cluster = await startPostgres();
    installation = await installEventplane({ serverUrl: cluster.superuserUrl });
  });
  afterAll(async () => {
    await installation.close();
    await cluster.close();
  });

  it("loses no acknowledged event, and the process lives on", async () => {
    const tenants = [newTenantId(), newTenantId(), newTenantId(), newTenantId()];
    const acknowledged: Receipt[] = [];
    const failures = new Set<string>();
    let killed = false;
    const writer = async (tenantId: TenantId): Promise<void> => {
      for (let round = 0; round < 10_000; round++) {
        try {
          const [outcome] = await installation.edge.append([intent(tenantId)]);
          if (outcome?.result === "appended") acknowledged.push(...outcome.receipts);
        } catch (error) {
          failures.add(isEventplaneError(error) ? error.code : String(error));
          if (killed) return;
        }
      }
    };
    const writers = Array.from({ length: 8 }, (_, index) => writer(tenants[index % 4] ?? newTenantId()));
    while (acknowledged.length < 200) await new Promise((resolve) => setTimeout(resolve, 10));
    killed = true;
    await cluster.kill9();
    await Promise.all(writers);
    await cluster.start();
    expect([...failures]).toEqual(["unavailable"]);
    expect(acknowledged.length).toBeGreaterThanOrEqual(200);
    const logs = new Map<string, readonly EventRow[]>();
    for (const tenantId of tenants) logs.set(tenantId, await wholeLog(installation.reader, tenantId));
    for (const tenantId of tenants) expectChain(tenantId, logs.get(tenantId) ?? []);
    for (const receipt of acknowledged) {
      const row = logs.get(receipt.tenantId)?.[receipt.position - 1];
      expect({ id: row?.id, hash: Buffer.from(row?.hash ?? []).toString("hex") }).toEqual({
        id: receipt.id,
        hash: receipt.hash,
      });
    }
  });

  it("an append whose outcome was lost is repeated by the identical call", async () => {
    const tenantId = newTenantId();
    const call = [intent(tenantId)];
    const [first] = await installation.edge.append(call);
    await cluster.kill9();
    expect(
      await installation.edge.append(call).catch((error: unknown) => isEventplaneError(error, "unavailable")),
    ).toBe(true);
    await cluster.start();
    const [second] = await installation.edge.append(call);
    expect(first?.result).toBe("appended");
    expect(second).toMatchObject({ result: "repeated", receipts: first?.result === "appended" ? first.receipts : [] });
  });
});

describe("failures of the database", () => {
  let installation: Installation;
  beforeAll(async () => {
    installation = await installEventplane();
  });
  afterAll(() => installation.close());

  it("a head that stays locked is busy within the lock time-out, and nothing was added", async () => {
    const tenantId = newTenantId();
    await installation.edge.append([intent(tenantId)]);
    const holder = new pg.Client({ connectionString: installation.database.superuserUrl });
    await holder.connect();
    await holder.query("begin");
    await holder.query("select from eventplane.heads where tenant_id = $1 for update", [tenantId]);
    const began = performance.now();
    const failed = await installation.edge.append([intent(tenantId)]).catch((error: unknown) => error);
    await holder.end();
    expect(failed).toMatchObject({ code: "busy", retryable: true, details: { sqlstate: "55P03" } });
    expect(performance.now() - began).toBeLessThan(4_000);
    expect((await installation.reader.head(tenantId)).position).toBe(1);
  });

  it("a backend that is terminated is unavailable, and the pool heals", async () => {
    const role = `${installation.database.rolePrefix}_edge`;
    const pool = createPool(installation.url("edge"), { connectionsMax: 1 });
    const appender = new PostgresAppender(pool, "edge");
    const tenantId = newTenantId();
    await appender.append([intent(tenantId)]);
    const sleeping = pool.query("select pg_sleep(4)").catch((error: unknown) => error);
    await installation.asSuperuser(
      "select pg_sleep(0.2), pg_terminate_backend(pid) from pg_stat_activity where usename = $1",
      [role],
    );
    expect(await sleeping).toMatchObject({ code: "57P01" });
    const [outcome] = await appender.append([intent(tenantId)]);
    expect(outcome?.result).toBe("appended");
    await pool.end();
  });

  it("a statement of ours that the server refuses is internal", async () => {
    const { rolePrefix } = installation.database;
    await installation.asSuperuser(`revoke execute on function eventplane.append_edge(text) from ${rolePrefix}_edge`);
    const failed = await installation.edge.append([intent(newTenantId())]).catch((error: unknown) => error);
    await installation.asSuperuser(`grant execute on function eventplane.append_edge(text) to ${rolePrefix}_edge`);
    expect(failed).toMatchObject({ code: "internal", retryable: false, details: { sqlstate: "42501" } });
  });
});

describe("dump and restore", () => {
  it("a log restored into a fresh cluster verifies and goes on", async () => {
    const source = await installEventplane();
    const folder = await mkdtemp(path.join(tmpdir(), "eventplane-dump-"));
    const cluster = await startPostgres();
    try {
      const tenantId = newTenantId();
      const event = draftIntent({ tenantId, specText: '{"name":"Acmé","n":1.0}' });
      await source.edge.append([signAppend(signer, appendOf(creating(event)))]);
      await source.runtime.append([
        signAppend(signer, appendOf({ ...creating(draftDerived(event)), effect: "derived" })),
      ]);
      const before = await wholeLog(source.reader, tenantId);
      const file = path.join(folder, "log.dump");
      await run(path.join(cluster.binDir, "pg_dump"), [
        "--format=custom",
        `--file=${file}`,
        `--dbname=${source.database.superuserUrl}`,
      ]);

      const restored = await restore(cluster, source, file);
      const after = await wholeLog(restored.reader, tenantId);
      expect(after).toEqual(before);
      const [outcome] = await restored.edge.append([intent(tenantId)]);
      expect(outcome?.result === "appended" ? outcome.receipts[0]?.position : outcome).toBe(3);
      expectChain(tenantId, await wholeLog(restored.reader, tenantId));
      expect(
        (await migrate(restored.database.ownerUrl, { rolePrefix: source.database.rolePrefix })).migrations,
      ).toEqual([]);
      await restored.close();
    } finally {
      await cluster.close();
      await source.close();
      await rm(folder, { recursive: true, force: true });
    }
  });
});

/** As docs/operating/postgresql-roles.md says: an empty database, the roles, the dump. */
async function restore(cluster: PostgresCluster, source: Installation, file: string): Promise<Installation> {
  const { rolePrefix } = source.database;
  const superuserUrl = new URL(cluster.superuserUrl);
  const admin = new pg.Client({ connectionString: superuserUrl.href });
  await admin.connect();
  const password = randomBytes(12).toString("hex");
  await admin.query(`create role ${rolePrefix}_admin login createrole password '${password}'`);
  await admin.query(`create database restored owner ${rolePrefix}_admin`);
  await admin.end();
  superuserUrl.pathname = "/restored";
  const ownerUrl = new URL(superuserUrl);
  ownerUrl.username = `${rolePrefix}_admin`;
  ownerUrl.password = password;
  const passwords = Object.fromEntries(loginRoles.map((role) => [role, randomBytes(12).toString("hex")])) as Record<
    LoginRole,
    string
  >; // one entry a role
  await migrate(ownerUrl.href, { rolePrefix, passwords, rolesOnly: true });
  await run(path.join(cluster.binDir, "pg_restore"), ["--exit-on-error", `--dbname=${superuserUrl.href}`, file]);
  const database = {
    superuserUrl: superuserUrl.href,
    ownerUrl: ownerUrl.href,
    rolePrefix,
    drop: () => Promise.resolve(),
  };
  return openInstallation(database, passwords);
}
