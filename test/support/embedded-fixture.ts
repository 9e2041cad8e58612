/** What the tests of the embedded PostgreSQL share: a used cluster to copy, planes in other processes, a look at /proc. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { chmod, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import pg from "pg";
import { afterAll, afterEach, beforeAll, expect, onTestFinished } from "vitest";
import { type EmbeddedPostgres, openEmbeddedPostgres } from "../../src/store/postgres/embedded/index.js";

/** Whether PostgreSQL needs another user than ours. */
export const isRoot: boolean = process.getuid?.() === 0;
/** A user with no rights at all, on every system. */
export const NOBODY: number = 65_534;
/** The root of the repository. */
export const repository: string = fileURLToPath(new URL("../..", import.meta.url));
/** The program that {@link hold} runs. */
export const holderScript: string = fileURLToPath(new URL("embedded-holder.ts", import.meta.url));

let root = "";
/** A cluster that was used once and closed; tests take copies, because initdb is most of a cold start. */
let pristine = "";
const holders: ChildProcess[] = [];
let copies = 0;

/** Registers the hooks of a test file: a folder of its own, a used and closed cluster in it, no process left at the end. */
export function useEmbedded(): void {
  beforeAll(async () => {
    root = await realpath(await mkdtemp(join(tmpdir(), "eventplane-embedded-")));
    await chmod(root, 0o755);
    pristine = join(root, "pristine");
    const postgres = await openEmbeddedPostgres({ dataDir: pristine });
    await query(postgres.ownerUrl, "create table kept (n integer primary key)");
    await query(postgres.ownerUrl, "insert into kept select generate_series(1, 100)");
    await postgres.close();
  });
  afterEach(() => {
    for (const child of holders.splice(0)) child.kill("SIGKILL");
  });
  afterAll(() => rm(root, { recursive: true, force: true }));
}

/** A path in the test file's folder. */
export function inFolder(name: string): string {
  return join(root, name);
}

/** A data directory of its own with 100 rows in the table `kept`. */
export async function freshCopy(): Promise<string> {
  copies += 1;
  const dataDir = join(root, `copy-${copies}`);
  await promisify(execFile)("cp", ["-a", pristine, dataDir]);
  return dataDir;
}

/** Opens in this process; closed when the test is over. */
export async function open(dataDir: string): Promise<EmbeddedPostgres> {
  const postgres = await openEmbeddedPostgres({ dataDir });
  onTestFinished(() => postgres.close());
  return postgres;
}

/** One statement on a connection of its own. */
export async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

/** A line of the holder, or an error: code and message. */
export interface Told {
  readonly ownerUrl?: string;
  readonly pid?: number;
  readonly code?: string;
  readonly message?: string;
  readonly warned?: { readonly pid: number };
}

/** A plane in another process. */
export interface Holder {
  readonly child: ChildProcess;
  /** The lines it told up to and including the answer: a URL or a code. */
  readonly told: readonly Told[];
  readonly answer: Told;
}

/** How to open in another process; `shell` runs before it in the same shell, for limits. */
export interface HoldOptions {
  readonly shell?: string;
  readonly args?: readonly string[];
  readonly cwd?: string;
  readonly script?: string;
}

/** Opens `dataDir` in another process and waits for its answer. */
export async function hold(dataDir: string, options: HoldOptions = {}): Promise<Holder> {
  const { child, lines } = holding(dataDir, options);
  const told: Told[] = [];
  for await (const line of lines) {
    // The holder's own lines, see support/embedded-holder.ts.
    const value = JSON.parse(line) as Told;
    told.push(value);
    if (value.code !== undefined || value.ownerUrl !== undefined) return { child, told, answer: value };
  }
  throw new Error("the holder ended without an answer");
}

/** Starts to open `dataDir` in another process, and does not wait. */
export function holding(
  dataDir: string,
  options: HoldOptions = {},
): { readonly child: ChildProcess; readonly lines: AsyncIterable<string> } {
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
  return { child, lines: createInterface({ input: child.stdout }) };
}

/** SIGKILL, and reaped. */
export async function kill9(child: ChildProcess): Promise<void> {
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

/** Every process whose working directory is the cluster: postmaster, children, watchdog. */
export function processesIn(dataDir: string): { readonly pid: number; readonly command: string }[] {
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

/** Waits until `condition` holds, and fails when it does not. */
export async function until(condition: () => boolean, withinMs: number): Promise<void> {
  const start = performance.now();
  while (!condition() && performance.now() - start < withinMs) await sleep(20);
  expect(condition()).toBe(true);
}

/** The error of an opening that has to fail. */
export async function refused(promise: Promise<unknown>): Promise<Told> {
  return promise.then(
    () => ({ code: "opened" }),
    (error: unknown) => error as Told, // EventplaneError has code and message; anything else fails the comparison
  );
}
