/** The built command line as a user runs it: real processes, a folder of their own, everything ended afterwards. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const main = join(root, "dist/cli/main.js");
const runMsMax = 30_000;
const pollMs = 20;

/** What a finished call left. */
export interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

/** How to call it. */
export interface CallOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
  readonly uid?: number;
}

/** Builds dist/ when it is older than src/. */
export function buildCommand(): void {
  const { status } = spawnSync(process.execPath, [join(root, "scripts/build.mjs"), "--if-stale"], {
    cwd: root,
    stdio: "inherit",
  });
  if (status !== 0) throw new Error("The build failed.");
}

/** Runs evtctl to its end; 30 s at most. */
export async function evtctl(args: readonly string[], options: CallOptions = {}): Promise<Finished> {
  const startedMs = performance.now();
  const child = start(args, options);
  const outputs = [collect(child.stdout), collect(child.stderr)] as const;
  child.stdin?.end(options.input ?? "");
  const timer = setTimeout(() => child.kill("SIGKILL"), runMsMax);
  const status = await new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
  clearTimeout(timer);
  return { status, stdout: outputs[0].text, stderr: outputs[1].text, ms: performance.now() - startedMs };
}

/** A process that serves: `dev` or `start`. */
export class Served {
  readonly url: string;
  readonly child: ChildProcess;
  readonly #out: { readonly text: string };
  readonly #err: { readonly text: string };
  readonly #ended: Promise<number | null>;

  private constructor(child: ChildProcess, url: string) {
    this.child = child;
    this.url = url;
    this.#out = collect(child.stdout);
    this.#err = collect(child.stderr);
    this.#ended = new Promise((resolve) => child.once("close", (code) => resolve(code)));
  }

  /** Starts it on `port`; see {@link ready}. */
  static start(args: readonly string[], port: number, options: CallOptions = {}): Served {
    return new Served(start([...args, "--port", String(port)], options), `http://127.0.0.1:${port}`);
  }

  /** Standard output and standard error so far. */
  get output(): string {
    return `${this.#out.text}${this.#err.text}`;
  }

  /** Waits for /readyz. @returns milliseconds since this call */
  async ready(withinMs = 30_000): Promise<number> {
    const startedMs = performance.now();
    await until(
      async () => this.child.exitCode !== null || (await isReady(this.url)),
      withinMs,
      () => this.output,
    );
    if (this.child.exitCode !== null) throw new Error(`It ended with status ${this.child.exitCode}:\n${this.output}`);
    return performance.now() - startedMs;
  }

  /** Waits until the output holds the text. */
  async says(text: string | RegExp, withinMs = 10_000): Promise<void> {
    const isThere = (): boolean => (typeof text === "string" ? this.output.includes(text) : text.test(this.output));
    await until(
      async () => isThere(),
      withinMs,
      () => `waiting for ${text}:\n${this.output}`,
    );
  }

  /** Waits for an end that comes by itself. @returns exit status */
  async exited(withinMs = 10_000): Promise<number | null> {
    await until(
      async () => this.child.exitCode !== null,
      withinMs,
      () => this.output,
    );
    return this.#ended;
  }

  /** Sends the signal and waits for the end. @returns exit status and milliseconds */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<{ readonly status: number | null; readonly ms: number }> {
    const startedMs = performance.now();
    if (this.child.exitCode === null) this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill("SIGKILL"), 15_000);
    const status = await this.#ended;
    clearTimeout(timer);
    return { status, ms: performance.now() - startedMs };
  }
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (typeof address === "object" && address !== null) return address.port;
  throw new Error("no port");
}

/** Process id of the PostgreSQL that runs in a data folder. */
export function postgresPid(dataDir: string): number {
  return Number(readFileSync(join(dataDir, "pgdata/postmaster.pid"), "utf8").split("\n", 1)[0]);
}

/** Whether a process of this id exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Asks again and again; fails with `why` when time is up. */
export async function until(condition: () => Promise<boolean>, withinMs: number, why: () => string): Promise<void> {
  const deadlineMs = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`Not within ${withinMs} ms: ${why()}`);
    await sleep(pollMs);
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    return false;
  }
}

/** Only what a command needs, so that the environment of the test run decides nothing. */
function start(args: readonly string[], { environment = {}, cwd, uid }: CallOptions): ChildProcess {
  const { PATH = "", HOME = "", LANG = "" } = process.env;
  return spawn(process.execPath, [main, ...args], {
    cwd: cwd ?? root,
    env: { PATH, HOME, LANG, ...environment },
    stdio: ["pipe", "pipe", "pipe"],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
}

function collect(stream: NodeJS.ReadableStream | null): { readonly text: string } {
  const collected = { text: "" };
  stream?.setEncoding("utf8").on("data", (chunk: string) => {
    collected.text += chunk;
  });
  return collected;
}
