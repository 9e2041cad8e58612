/** The embedded PostgreSQL as a plane meets it: starts, stops and kills of real processes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { chmod, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { describe, expect, onTestFinished, test } from "vitest";
import { openEmbeddedPostgres } from "../src/store/postgres/embedded/index.js";
import { postgresProcessesIn, processStartOf } from "../src/store/postgres/embedded/process-identity.js";
import {
  freshCopy,
  hold,
  holding,
  inFolder,
  kill9,
  open,
  processesIn,
  query,
  refused,
  type Told,
  until,
  useEmbedded,
} from "./support/embedded-fixture.js";

useEmbedded();

describe("start and stop", () => {
  test("a cold start gives a durable database to an owner that is no superuser, on 127.0.0.1 only", async () => {
    const start = performance.now();
    const postgres = await open(inFolder("cold"));
    expect(performance.now() - start).toBeLessThan(10_000);
    const [row] = await query(
      postgres.ownerUrl,
      `select current_database() as database, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls,
              pg_get_userbyid(datdba) = current_user as owns, current_setting('fsync') as fsync,
              current_setting('synchronous_commit') as synchronous, current_setting('full_page_writes') as pages,
              current_setting('listen_addresses') as addresses,
              current_setting('data_checksums') as checksums
       from pg_roles, pg_database where rolname = current_user and datname = current_database()`,
    );
    expect(row).toEqual({
      database: "eventplane",
      rolsuper: false,
      rolcreaterole: true,
      rolcreatedb: true,
      rolbypassrls: false,
      owns: true,
      fsync: "on",
      synchronous: "on",
      pages: "on",
      addresses: "127.0.0.1",
      checksums: "on",
    });
    expect(readFileSync("/proc/net/unix", "utf8")).not.toContain(`.s.PGSQL.${postgres.port}`);
    await postgres.close();
    expect(processesIn(postgres.dataDir)).toEqual([]);
  });

  test("a warm start keeps the data, close is idempotent and leaves no process behind", async () => {
    const dataDir = await freshCopy();
    const start = performance.now();
    const postgres = await open(dataDir);
    expect(performance.now() - start).toBeLessThan(1_500);
    expect(await query(postgres.ownerUrl, "select count(*)::integer as count from kept")).toEqual([{ count: 100 }]);
    expect(processesIn(dataDir).filter(({ command }) => command.includes("eventplane-watchdog"))).toHaveLength(1);
    await Promise.all([postgres.close(), postgres.close()]);
    await postgres[Symbol.asyncDispose]();
    expect((await postgres.exited).code).toBe(0);
    expect(processesIn(dataDir)).toEqual([]);
    expect(await readdir(dataDir)).not.toContain("plane.lock");
  });

  test("passwords are in a 0600 file and neither in arguments, environment nor log", async () => {
    const dataDir = await freshCopy();
    const postgres = await open(dataDir);
    const file = join(dataDir, "postgres.secret");
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const secrets = Object.values(JSON.parse(await readFile(file, "utf8")) as Record<string, string>); // our own file
    expect(secrets).toHaveLength(2);
    const environment = await readFile(`/proc/${postgres.pid}/environ`, "utf8");
    const seen = `${JSON.stringify(processesIn(dataDir))}${environment}${await readFile(join(dataDir, "postgres.log"), "utf8")}`;
    for (const secret of secrets) expect(seen).not.toContain(secret);
    expect(seen).toContain(String(postgres.pid));
  });

  test("a password file that others can read is refused", async () => {
    const dataDir = await freshCopy();
    await chmod(join(dataDir, "postgres.secret"), 0o644);
    expect(await refused(open(dataDir))).toMatchObject({ code: "key_file_insecure" });
  });

  test("a log over 1 MiB is rotated at the start", async () => {
    const dataDir = await freshCopy();
    await writeFile(join(dataDir, "postgres.log"), "x".repeat(1024 * 1024 + 1), { mode: 0o600 });
    await open(dataDir);
    expect((await stat(join(dataDir, "postgres.log"))).size).toBeLessThan(10_000);
    expect((await stat(join(dataDir, "postgres.log.1"))).size).toBe(1024 * 1024 + 1);
  });

  test.each([5, 400])("an abort after %i ms leaves no process and a directory that opens", async (afterMs) => {
    const dataDir = inFolder(`aborted-${afterMs}`);
    const opening = openEmbeddedPostgres({ dataDir, signal: AbortSignal.timeout(afterMs) });
    const outcome = await opening.then(
      (postgres) => postgres.close().then(() => "opened"),
      (error: unknown) => (error as Told).code, // EventplaneError; anything else fails the comparison
    );
    expect(outcome).toBe("aborted");
    expect(processesIn(dataDir)).toEqual([]);
    await open(dataDir);
  });
});

describe("one plane per directory", () => {
  test("a second plane is refused within 2 s with the pid and the start of the first", async () => {
    const dataDir = await freshCopy();
    const { child } = await hold(dataDir);
    const start = performance.now();
    const error = await refused(open(dataDir));
    expect(performance.now() - start).toBeLessThan(2_000);
    expect(error.code).toBe("data_directory_in_use");
    expect(error.message).toMatch(new RegExp(`process ${child.pid} on \\S+ since \\d{4}-\\d\\d-\\d\\dT`));
    expect(JSON.parse(await readFile(join(dataDir, "plane.lock"), "utf8"))).toMatchObject({ pid: child.pid });
  });

  test("of several starts at once on a new directory exactly one succeeds", async () => {
    const dataDir = inFolder("race");
    const results = await Promise.allSettled([1, 2, 3, 4].map(() => open(dataDir)));
    expect(results.filter((result) => result.status === "fulfilled")).toHaveLength(1);
    for (const result of results) {
      if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "data_directory_in_use" });
    }
  });
});

describe("kill -9", () => {
  test("of the plane: its PostgreSQL is gone within 4 s, and the committed data are there again", async () => {
    const dataDir = await freshCopy();
    const { child, answer } = await hold(dataDir);
    await query(answer.ownerUrl ?? "", "insert into kept values (1000)");
    await kill9(child);
    await until(() => processesIn(dataDir).length === 0, 4_000);
    const postgres = await open(dataDir);
    expect(await query(postgres.ownerUrl, "select n from kept where n > 100")).toEqual([{ n: 1000 }]);
  });

  test("of the plane, again and again, started anew at once: what was committed is there", async () => {
    const dataDir = await freshCopy();
    for (let round = 1; round <= 3; round += 1) {
      const { child, answer } = await hold(dataDir);
      await query(answer.ownerUrl ?? "", `insert into kept values (${3000 + round})`);
      await kill9(child);
    }
    const postgres = await open(dataDir);
    expect(await query(postgres.ownerUrl, "select count(*)::integer as count from kept")).toEqual([{ count: 103 }]);
  });

  test("of the plane in its very first start: the next start makes a whole cluster and leaves no remains", async () => {
    const dataDir = inFolder("interrupted");
    const { child } = holding(dataDir);
    const started = (): boolean => existsSync(dataDir) && readdirSync(dataDir).some((name) => name.includes(".new-"));
    await until(started, 20_000);
    await kill9(child);
    const postgres = await open(dataDir);
    expect(await query(postgres.ownerUrl, "select 1 as one")).toEqual([{ one: 1 }]);
    expect((await readdir(dataDir)).filter((name) => name.includes("new"))).toEqual([]);
  });

  test("of plane and watchdog: the orphan is found, stopped and reported at the next start", async () => {
    const dataDir = await freshCopy();
    const { child, answer } = await hold(dataDir);
    await query(answer.ownerUrl ?? "", "insert into kept values (2000)");
    for (const { pid, command } of processesIn(dataDir)) if (command.includes("watchdog")) process.kill(pid, "SIGKILL");
    await kill9(child);
    expect(await postgresProcessesIn(join(dataDir, "pgdata"))).toContain(answer.pid);
    const next = await hold(dataDir);
    expect(next.told.map((line) => line.warned?.pid)).toContain(answer.pid);
    expect(await processStartOf(answer.pid ?? 0)).toBeUndefined();
    expect(await query(next.answer.ownerUrl ?? "", "select n from kept where n > 100")).toEqual([{ n: 2000 }]);
    next.child.stdin?.end();
    await once(next.child, "exit");
    expect(processesIn(dataDir)).toEqual([]);
  });

  test("of plane, watchdog and postmaster: leftover processes and their file are no obstacle", async () => {
    const dataDir = await freshCopy();
    const { child, answer } = await hold(dataDir);
    for (const { pid, command } of processesIn(dataDir)) if (command.includes("watchdog")) process.kill(pid, "SIGKILL");
    process.kill(answer.pid ?? 0, "SIGKILL");
    await kill9(child);
    const postgres = await open(dataDir);
    expect(await query(postgres.ownerUrl, "select count(*)::integer as count from kept")).toEqual([{ count: 100 }]);
  });

  test("of PostgreSQL under writes: every acknowledged row is there after the restart", async () => {
    const dataDir = await freshCopy();
    const first = await open(dataDir);
    await query(first.ownerUrl, "create table acknowledged (writer integer, n integer, primary key (writer, n))");
    const last = [0, 0, 0, 0];
    const writers = last.map(async (_, writer) => {
      const client = new pg.Client({ connectionString: first.ownerUrl });
      client.on("error", () => {});
      await client.connect();
      for (let n = 1; n <= 100_000; n += 1) {
        const written = await client.query("insert into acknowledged values ($1, $2)", [writer, n]).then(
          () => true,
          () => false,
        );
        if (!written) return;
        last[writer] = n;
      }
    });
    await until(() => Math.min(...last) > 50, 20_000);
    process.kill(first.pid, "SIGKILL");
    await Promise.all(writers);
    expect(await first.exited).toEqual({ code: null, signal: "SIGKILL" });
    await first.close();
    const second = await open(dataDir);
    const rows = await query(
      second.ownerUrl,
      "select writer, max(n) as n, count(*)::integer as count from acknowledged group by writer order by writer",
    );
    for (const [writer, n] of last.entries()) {
      expect(rows[writer]?.n).toBeGreaterThanOrEqual(n);
      expect(rows[writer]?.count).toBe(rows[writer]?.n);
    }
  });

  test("a postmaster.pid that names a living stranger is no obstacle, and the stranger lives on", async () => {
    const dataDir = await freshCopy();
    const stranger = spawn("/bin/sleep", ["60"]);
    onTestFinished(() => void stranger.kill("SIGKILL"));
    await writeFile(join(dataDir, "pgdata", "postmaster.pid"), `${stranger.pid}\n/nowhere\n`);
    await open(dataDir);
    expect(stranger.exitCode ?? stranger.signalCode).toBeNull();
    expect(await processStartOf(stranger.pid ?? 0)).toBeDefined();
  });
});
