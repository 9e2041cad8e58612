/** The running postmaster: start, readiness, stop. */
import type { ChildProcess } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { EventplaneError, systemClock } from "../../../kernel/index.js";
import { type Cluster, cannotRun, configure, spawnIn } from "./cluster.js";
import { serverFailure } from "./failure.js";
import { logSince, openServerLog } from "./server-log.js";
import { startWatchdog, type Watchdog } from "./watchdog.js";

/** How the server ended. */
export interface ServerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A server that accepts connections. */
export interface Server {
  readonly pid: number;
  readonly port: number;
  /** Resolves when the server has ended, for whatever reason. Never rejects. */
  readonly exited: Promise<ServerExit>;
  /** Fast shutdown, then harder; idempotent, bounded, leaves no process behind. */
  stop(): Promise<void>;
}

const READY_DEADLINE_MS = 120_000;
const READY_POLL_MS = 10;
const START_TRIES_MAX = 30;
const RETRY_AFTER_MS = 100;
const FAST_STOP_MS = 5_000;
const IMMEDIATE_STOP_MS = 2_000;
const STATUS_LINE = 7;

/** Another program took the port between our look and PostgreSQL's; or processes of a killed server are still ending. */
const passing = /could not create any TCP\/IP sockets|pre-existing shared memory block/;

/**
 * Starts PostgreSQL on a free port of 127.0.0.1 and waits until it accepts connections; crash recovery included.
 *
 * @throws EventplaneError as {@link serverFailure}; `database_unsupported`; `aborted` (the server is stopped again)
 */
export async function startServer(cluster: Cluster, signal?: AbortSignal): Promise<Server> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    await configure(cluster, port);
    const log = await openServerLog(cluster);
    let server: Server;
    try {
      server = await launch(cluster, { port, logFd: log.handle.fd });
    } finally {
      await log.handle.close();
    }
    try {
      if (await becomesReady(cluster, server, signal)) return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
    await server.stop();
    const said = await logSince(cluster, log.offset);
    if (!passing.test(said) || attempt === START_TRIES_MAX) throw serverFailure(said, cluster);
    await systemClock.sleep(RETRY_AFTER_MS, signal);
  }
}

async function launch(cluster: Cluster, options: { readonly port: number; readonly logFd: number }): Promise<Server> {
  const child = spawnIn(cluster, {
    path: cluster.binaries.postgres,
    folder: cluster.clusterDir,
    fds: ["ignore", options.logFd, options.logFd],
  });
  const exited = new Promise<ServerExit>((resolve) => child.once("exit", (code, signal) => resolve({ code, signal })));
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error) => reject(cannotRun(error)));
  });
  const pid = child.pid ?? 0;
  const watchdog = startWatchdog(cluster, pid);
  child.unref();
  let stopping: Promise<void> | undefined;
  return { pid, port: options.port, exited, stop: () => (stopping ??= stop(child, exited, watchdog)) };
}

async function stop(child: ChildProcess, exited: Promise<ServerExit>, watchdog: Watchdog): Promise<void> {
  child.ref();
  for (const [signal, waitMs] of [["SIGINT", FAST_STOP_MS] as const, ["SIGQUIT", IMMEDIATE_STOP_MS] as const]) {
    child.kill(signal);
    if (await within(exited, waitMs)) break;
  }
  child.kill("SIGKILL");
  await exited;
  await watchdog.dismiss();
}

/** Whether `exited` resolves within `waitMs`. */
async function within(exited: Promise<ServerExit>, waitMs: number): Promise<boolean> {
  const timer = new AbortController();
  const late = systemClock.sleep(waitMs, timer.signal).then(
    () => false,
    () => true,
  );
  const ended = await Promise.race([exited.then(() => true), late]);
  timer.abort();
  return ended;
}

/** False when it ended instead. PostgreSQL writes its state into line 8 of postmaster.pid; pg_ctl waits in the same way. */
async function becomesReady(cluster: Cluster, server: Server, signal?: AbortSignal): Promise<boolean> {
  const file = join(cluster.clusterDir, "postmaster.pid");
  let ended = false;
  void server.exited.then(() => {
    ended = true;
  });
  const deadline = systemClock.monotonicMs() + READY_DEADLINE_MS;
  while (systemClock.monotonicMs() < deadline) {
    if (ended) return false;
    const lines = (await readFile(file, "utf8").catch(() => "")).split("\n");
    if (lines[0] === String(server.pid) && lines[STATUS_LINE]?.startsWith("ready") === true) return true;
    await systemClock.sleep(READY_POLL_MS, signal);
  }
  const seconds = READY_DEADLINE_MS / 1000;
  const message = `PostgreSQL on ${cluster.dataDir} was not ready within ${seconds} s; it may be recovering. See ${cluster.logFile} and start again.`;
  throw new EventplaneError("database_unreachable", message, { details: { dataDir: cluster.dataDir } });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}
