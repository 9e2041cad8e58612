/** A plane as a user starts it: `evtctl dev` or `evtctl start` in a process of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createClient } from "../../dist/client/index.js";

/** A running plane. */
export interface DevPlane {
  readonly url: string;
  readonly pid: number;
  /** From the start of the process to the first 200 of /readyz. */
  readonly startMs: number;
  readonly adminKey: string;
  /** The postmaster of its embedded PostgreSQL. */
  postmasterPid(): number;
  stop(): Promise<void>;
}

/** How to start it. */
export interface DevPlaneOptions {
  /** Default `dev`. */
  readonly command?: "dev" | "start";
  readonly dataDir: string;
  /** A file of bench/apps. */
  readonly app: string;
  /** Settings of a database that is not the embedded one. */
  readonly environment?: Readonly<Record<string, string>>;
}

const root = fileURLToPath(new URL("../../", import.meta.url));
const commandFile = "dist/cli/main.js";
const readyWithinMs = 60_000;

/** Starts one and waits until it is ready. */
export async function startDevPlane({
  command = "dev",
  dataDir,
  app,
  environment = {},
}: DevPlaneOptions): Promise<DevPlane> {
  const port = await freePort();
  const started = performance.now();
  const args = [commandFile, command, "--port", String(port), "--data-dir", dataDir, "--config", `bench/apps/${app}`];
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, LOG_LEVEL: "warn", ...environment },
    stdio: ["ignore", "ignore", 2],
  });
  const url = `http://127.0.0.1:${port}`;
  await untilReady(child, url);
  const startMs = performance.now() - started;
  return {
    url,
    pid: child.pid ?? 0,
    startMs,
    adminKey: readFileSync(join(dataDir, "admin.key"), "utf8").trim(),
    postmasterPid: () => Number(readFileSync(join(dataDir, "postgres", "postmaster.pid"), "utf8").split("\n")[0]),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    },
  };
}

/** Makes schema, roles and their passwords, as `evtctl migrate up` does. */
export async function migratePlane(dataDir: string, environment: Readonly<Record<string, string>>): Promise<void> {
  const child = spawn(process.execPath, [commandFile, "migrate", "up"], {
    cwd: root,
    env: { ...process.env, EVENTPLANE_DATA__DIR: dataDir, ...environment },
    stdio: ["ignore", "ignore", 2],
  });
  const [status] = (await once(child, "exit")) as [number | null]; // the arguments of the event
  if (status !== 0) throw new Error(`evtctl migrate up ended with ${status}`);
}

/** A fresh folder that is removed at the end of `work`. */
export async function withDataDir<Result>(work: (dataDir: string) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), "eventplane-bench-"));
  try {
    return await work(join(folder, "data"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A tenant of the plane with a key of all grants. */
export async function devTenant(
  { url, adminKey }: DevPlane,
  slug: string,
): Promise<{ readonly id: string; readonly key: string }> {
  const { admin } = createClient({ baseUrl: url, apiKey: adminKey });
  const { id } = await admin.createTenant({ slug });
  const { key } = await admin.createKey(id, { name: "bench", grants: ["publisher", "reader", "subscriber"] });
  return { id, key };
}

async function untilReady(child: ChildProcess, url: string): Promise<void> {
  const deadline = performance.now() + readyWithinMs;
  while (performance.now() < deadline && child.exitCode === null) {
    const status = await fetch(`${url}/readyz`).then(
      (response) => response.status,
      () => 0, // it does not listen yet
    );
    if (status === 200) return;
    await sleep(20);
  }
  child.kill("SIGKILL");
  throw new Error("the plane did not become ready");
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("a TCP server has no port");
  return address.port;
}
