/** The plane of the demo: `evtctl dev` as a process of its own, which can be killed. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { EventplaneError } from "../../kernel/errors.js";
import { safe } from "../terminal.js";
import { commandFile } from "./evtctl.js";

const startsWithinMs = 30_000;
const goneWithinMs = 5_000;
const endsWithinMs = 12_000;
const pollMs = 25;
const logTailCharacters = 600;

/** Where a plane stands and what it runs. */
export interface PlaneSite {
  /** Folder of this plane; its log is `dev.log` beside it. */
  readonly dataDir: string;
  readonly port: number;
  readonly appFile: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** A running `evtctl dev`. */
export class PlaneProcess {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #dataDir: string;

  private constructor(child: ChildProcess, site: PlaneSite) {
    this.#child = child;
    this.#dataDir = site.dataDir;
    this.url = `http://127.0.0.1:${site.port}`;
  }

  /**
   * Starts the process; {@link PlaneProcess.ready} tells when it serves.
   *
   * It gets a session of its own: Ctrl-C in the terminal reaches the demo alone, which then ends the plane in order.
   */
  static start(site: PlaneSite): PlaneProcess {
    const log = openSync(logFile(site.dataDir), "a", 0o600);
    try {
      const args = ["dev", "--port", String(site.port), "--data-dir", site.dataDir, "--config", site.appFile];
      const child = spawn(process.execPath, [commandFile, ...args], {
        env: { ...site.environment, LOG_LEVEL: "warn" },
        stdio: ["ignore", log, log],
        detached: true,
      });
      return new PlaneProcess(child, site);
    } finally {
      closeSync(log);
    }
  }

  /** Process id of the plane. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Process id of its PostgreSQL; 0 before there is one. */
  get postgresPid(): number {
    try {
      return Number.parseInt(readFileSync(join(this.#dataDir, "pgdata/postmaster.pid"), "utf8"), 10) || 0;
    } catch {
      return 0; // not started yet, or ended
    }
  }

  /** Waits until it serves. @throws EventplaneError `unavailable` with the end of its log when it ends or takes over 30 s */
  async ready(signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + startsWithinMs;
    while (performance.now() < deadline && this.#child.exitCode === null && this.#child.signalCode === null) {
      const answer = await fetch(`${this.url}/readyz`, { signal }).catch(() => undefined);
      if (answer?.status === 200) return;
      await sleep(pollMs, undefined, { signal });
    }
    const said = readFileSync(logFile(this.#dataDir), "utf8").slice(-logTailCharacters);
    throw new EventplaneError(
      "unavailable",
      `The plane did not become ready. The end of its log: ${safe(said, logTailCharacters)}`,
    );
  }

  /** SIGKILL for the plane and its PostgreSQL at once. @returns whether both are gone within 5 s */
  async kill(): Promise<boolean> {
    const pids = [this.pid, this.postgresPid].filter((pid) => pid > 0);
    for (const pid of pids) send(pid, "SIGKILL");
    return pids.length === 2 && (await areGone(pids));
  }

  /** Ends it as Ctrl-C would, by force after 12 s. @returns its exit status, and whether its PostgreSQL is gone too */
  async stop(): Promise<{ readonly status: number | null; readonly isGone: boolean }> {
    const pids = [this.pid, this.postgresPid].filter((pid) => pid > 0);
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, "exit");
      this.#child.kill("SIGTERM");
      const force = setTimeout(() => void this.kill(), endsWithinMs);
      await exited;
      clearTimeout(force);
    }
    return { status: this.#child.exitCode, isGone: await areGone(pids) };
  }
}

/** A port of 127.0.0.1 that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

function logFile(dataDir: string): string {
  return `${dataDir}.log`;
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended in the meantime.
  }
}

async function areGone(pids: readonly number[]): Promise<boolean> {
  const deadline = performance.now() + goneWithinMs;
  while (pids.some(isAlive)) {
    if (performance.now() > deadline) return false;
    await sleep(pollMs);
  }
  return true;
}

/** A process that ended and whose parent has not asked yet (a zombie, proc(5)) does nothing any more. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return process.platform !== "linux"; // elsewhere there is no /proc, and the signal has answered
  }
}
