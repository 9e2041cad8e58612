/** The lock of a data directory: one holder whatever the timing, and nobody dead or silent stands in the way. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import {
  type DataDirectoryLock,
  type LockHolder,
  lockDataDirectory,
  takeNumber,
} from "../src/store/postgres/embedded/data-directory-lock.js";
import { ownIdentity, processStartOf } from "../src/store/postgres/embedded/process-identity.js";

let folder: string;
let deadPid: number;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "eventplane-lock-"));
  const child = spawn("/bin/sh", ["-c", "exit 0"]);
  await once(child, "exit");
  deadPid = child.pid ?? 0;
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const fresh = (): Promise<string> => mkdtemp(join(folder, "dir-"));

async function plant(dataDir: string, change: Readonly<Record<string, unknown>>): Promise<string> {
  const holder = { ...(await ownIdentity()), host: "box", startedAt: "2026-01-02T03:04:05.000000Z", port: 5432 };
  const file = join(dataDir, "plane.lock.7");
  await writeFile(file, JSON.stringify({ ...holder, ...change }));
  return file;
}

async function lock(dataDir: string): Promise<DataDirectoryLock> {
  const held = await lockDataDirectory(dataDir);
  onTestFinished(() => held.release());
  return held;
}

test("a living holder is named with pid, host and time; a released one is no obstacle", async () => {
  const dataDir = await fresh();
  const first = await lock(dataDir);
  await first.announce(1234);
  const info: unknown = JSON.parse(await readFile(join(dataDir, "plane.lock"), "utf8"));
  expect(info).toMatchObject({ pid: process.pid, port: 1234, startedAt: expect.stringMatching(/^\d{4}-.*Z$/) });
  await expect(lock(dataDir)).rejects.toMatchObject({ code: "data_directory_in_use", details: { pid: process.pid } });
  await first.release();
  await first.release();
  await lock(dataDir);
});

test("a dead holder, a reused pid and a torn lock file are no obstacle", async () => {
  for (const change of [{ pid: deadPid }, { processStart: "another process had this pid" }]) {
    const dataDir = await fresh();
    await plant(dataDir, change);
    expect(await lock(dataDir)).toBeDefined();
  }
  for (const text of ["", "{", '{"pid":1}', "null", '"x"']) {
    const dataDir = await fresh();
    await writeFile(join(dataDir, "plane.lock.7"), text);
    expect(await lock(dataDir)).toBeDefined();
  }
});

test("of 12 at once exactly one gets a new directory, one with a dead holder and one just released", async () => {
  for (let round = 0; round < 30; round += 1) {
    const dataDir = await fresh();
    if (round % 3 === 1) await plant(dataDir, { pid: deadPid });
    if (round % 3 === 2) await (await lockDataDirectory(dataDir)).release();
    const contenders = Array.from({ length: 12 }, async (_, index) => {
      for (let turn = 0; turn < index * 3; turn += 1) await Promise.resolve();
      return lockDataDirectory(dataDir);
    });
    const results = await Promise.allSettled(contenders);
    const winners = results.filter((result) => result.status === "fulfilled");
    expect(winners).toHaveLength(1);
    expect((await readdir(dataDir)).filter((name) => /^plane\.lock\.\d+$/.test(name))).toHaveLength(1);
    for (const winner of winners) await winner.value.release();
  }
});

test("whoever comes late with a number that is over yields to the higher one and leaves nothing", async () => {
  const dataDir = await fresh();
  await plant(dataDir, {});
  const late: LockHolder = {
    ...(await ownIdentity()),
    host: "box",
    startedAt: "2026-01-02T03:04:05.000000Z",
    port: null,
  };
  expect(await takeNumber(dataDir, 6, late)).toBe(false);
  expect(await takeNumber(dataDir, 7, late)).toBe(false);
  expect(await readdir(dataDir)).toEqual(["plane.lock.7"]);
  expect(await takeNumber(dataDir, 8, late)).toBe(true);
  expect(await readdir(dataDir)).toEqual(["plane.lock.8"]);
});

test("there are never two holders while many take and release", async () => {
  const dataDir = await fresh();
  let holders = 0;
  let taken = 0;
  const worker = async (): Promise<void> => {
    for (let turn = 0; turn < 60; turn += 1) {
      const held = await lockDataDirectory(dataDir).catch((error: unknown) => {
        expect(error).toMatchObject({ code: "data_directory_in_use" });
      });
      if (!held) continue;
      holders += 1;
      taken += 1;
      expect(holders).toBe(1);
      await new Promise(setImmediate);
      holders -= 1;
      await held.release();
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  expect(taken).toBeGreaterThan(10);
});

test("a holder in another container is refused within 2 s while its heartbeat moves, and no obstacle when it is silent", async () => {
  const [living, silent] = [await fresh(), await fresh()];
  const file = await plant(living, { machine: "elsewhere", pid: deadPid });
  await plant(silent, { machine: "elsewhere", pid: process.pid });
  const heart = setInterval(() => void utimes(file, new Date(), new Date()), 1_000);
  onTestFinished(() => clearInterval(heart));
  const start = performance.now();
  const freed = lock(silent);
  await expect(lock(living)).rejects.toMatchObject({ code: "data_directory_in_use", details: { host: "box" } });
  expect(performance.now() - start).toBeLessThan(2_000);
  expect(await freed).toBeDefined();
});

test("a held lock shows its heartbeat, an abort ends the wait for a silent holder", async () => {
  const dataDir = await fresh();
  await lock(dataDir);
  const file = join(dataDir, "plane.lock.1");
  await utimes(file, 1, 1);
  await sleep(1_500);
  await plant(dataDir, { machine: "elsewhere" });
  await expect(lockDataDirectory(dataDir, AbortSignal.timeout(200))).rejects.toMatchObject({ code: "aborted" });
  expect((await stat(file)).mtimeMs).toBeGreaterThan(1_000_000);
});

test("a directory that is gone or no directory is data_directory_unwritable", async () => {
  const dataDir = join(folder, "gone");
  await expect(lockDataDirectory(dataDir)).rejects.toMatchObject({ code: "data_directory_unwritable" });
  await mkdir(dataDir);
  const held = await lock(dataDir);
  await rm(dataDir, { recursive: true });
  await held.release();
});

test("a zombie counts as dead, a living process does not", async () => {
  // The shell becomes a sleep, which never reaps the child that the shell had started.
  const parent = spawn("/bin/sh", ["-c", "sleep 0.2 & echo $!; exec sleep 30"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  onTestFinished(() => void parent.kill("SIGKILL"));
  const [chunk] = (await once(parent.stdout, "data")) as [Buffer];
  const zombie = Number(chunk.toString("utf8"));
  for (let turn = 0; turn < 100 && (await processStartOf(zombie)) !== undefined; turn += 1) await sleep(20);
  expect(process.kill(zombie, 0)).toBe(true);
  expect(await processStartOf(zombie)).toBeUndefined();
  expect(await processStartOf(parent.pid ?? 0)).toBeDefined();
  expect(await processStartOf(deadPid)).toBeUndefined();
});
