/** Processes of their own, so that who is measured and who measures do not share a thread. */
import { type ChildProcess, fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** A child that answers messages one at a time. */
export interface Child {
  readonly pid: number;
  /** Sends and waits for the answer. */
  ask<Answer>(message: object): Promise<Answer>;
  stop(): Promise<void>;
}

const root = fileURLToPath(new URL("../../", import.meta.url));
const compiled = `${root}dist-bench/`;
let isCompiled = false;

/** Starts bench/children/<name>.ts, compiled: a loader of TypeScript would count as memory of the child. */
export async function startChild(name: string): Promise<Child> {
  if (!isCompiled) compileChildren();
  isCompiled = true;
  const child = fork(`${compiled}children/${name}.js`, { execArgv: [], stdio: ["ignore", 2, 2, "ipc"] });
  await answer(child);
  if (child.pid === undefined) throw new Error(`the child ${name} did not start`);
  return {
    pid: child.pid,
    async ask<Answer>(message: object) {
      child.send(message);
      return (await answer(child)) as Answer; // both ends are in this folder
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.disconnect();
      await ended;
    },
  };
}

function compileChildren(): void {
  const files = readdirSync(`${root}bench/children`).map((file) => `bench/children/${file}`);
  const flags =
    "--ignoreConfig --noCheck --outDir dist-bench --rootDir bench --module nodenext --target es2023 --types node";
  const { status } = spawnSync(`${root}node_modules/.bin/tsc`, [...flags.split(" "), ...files], {
    cwd: root,
    stdio: ["ignore", 2, 2],
  });
  if (status !== 0) throw new Error("the children of the bench do not compile: the errors are above");
}

/** The child's side: tells that it is there, answers until the parent goes. */
export function serveParent<Message extends object>(
  handle: (message: Message) => Promise<object>,
  end?: () => Promise<void>,
): void {
  const say = (message: object): void => void process.send?.(message);
  process.on("message", (message) => {
    // Messages come from startChild's `ask` only.
    handle(message as Message).then(say, (error: unknown) =>
      say({ error: error instanceof Error ? error.stack : String(error) }),
    );
  });
  process.on("disconnect", () => void (end?.() ?? Promise.resolve()).finally(() => process.exit()));
  say({ started: true });
}

/** One at a time: whoever asks waits for the one answer. */
function answer(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      child.off("message", onMessage).off("exit", onExit);
      act();
    };
    const onExit = (): void =>
      settle(() => reject(new Error(`a child of the bench ended: ${child.spawnargs.join(" ")}`)));
    const onMessage = (message: unknown): void =>
      settle(() => {
        const failed = typeof message === "object" && message !== null && "error" in message;
        if (failed) reject(new Error(String(message.error)));
        else resolve(message);
      });
    child.on("message", onMessage).on("exit", onExit);
  });
}
