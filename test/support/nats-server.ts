/**
 * A throw-away nats-server with JetStream on 127.0.0.1 and a free port, its files in a folder of its own. It is the child of a
 * small shell that ends it when its standard input closes, so it goes away with the test run, also when the run itself is killed.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "./evtctl-process.js";

/** A server that a test may kill, wipe and start again; the port stays the same. */
export interface NatsServer {
  /** `nats://127.0.0.1:port` */
  readonly url: string;
  /** SIGKILL by its process id; the data stay. */
  kill9(): Promise<void>;
  /** Starts the killed server again, with nothing of its data when `isWiped`. */
  start(options?: { readonly isWiped?: boolean }): Promise<void>;
  /** Ends it and removes its folder. Safe to call twice. */
  close(): Promise<void>;
}

const script = fileURLToPath(new URL("../../scripts/nats-server.mjs", import.meta.url));
const readyMsMax = 20_000;
const guardScript = `
exec 3<&0
"$@" >>"$FOLDER/server.log" 2>&1 3<&- &
server=$!
( read -r word <&3; kill -TERM "$server" 2>/dev/null ) &
guard=$!
echo "$server"
wait "$server"
kill "$guard" 2>/dev/null
`;

/** Starts one. Fails when there is no nats-server and none can be brought: a test that needs it is never skipped. */
export async function startNats(
  options: { readonly jetStream?: boolean; readonly payloadBytesMax?: number } = {},
): Promise<NatsServer> {
  const { jetStream = true, payloadBytesMax = 1_048_576 } = options;
  const binary = execFileSync(process.execPath, [script], { encoding: "utf8" }).trim();
  const folder = await mkdtemp(join(tmpdir(), "eventplane-nats-"));
  const port = await freePort();
  const data = join(folder, "data");
  const config = join(folder, "server.conf");
  const storing = jetStream ? `jetstream { store_dir: "${data}" }` : "";
  await writeFile(config, `listen: "127.0.0.1:${port}"\nmax_payload: ${payloadBytesMax}\n${storing}\n`);
  let running: Running | undefined = await launch({ binary, folder, port, config });
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ending = running;
    running = undefined;
    if (ending === undefined || ending.shell.exitCode !== null) return;
    const ended = once(ending.shell, "close");
    process.kill(ending.pid, signal);
    await ended;
  };
  return {
    url: `nats://127.0.0.1:${port}`,
    kill9: () => end("SIGKILL"),
    start: async ({ isWiped = false } = {}) => {
      if (isWiped) await rm(data, { recursive: true, force: true });
      running = await launch({ binary, folder, port, config });
    },
    close: async () => {
      await end("SIGTERM");
      await rm(folder, { recursive: true, force: true });
    },
  };
}

interface Running {
  readonly shell: ChildProcess;
  readonly pid: number;
}

async function launch(options: {
  readonly binary: string;
  readonly folder: string;
  readonly port: number;
  readonly config: string;
}): Promise<Running> {
  const { binary, folder, port, config } = options;
  const shell = spawn("sh", ["-c", guardScript, "sh", binary, "-c", config], {
    stdio: ["pipe", "pipe", "ignore"],
    env: { ...process.env, FOLDER: folder },
  });
  const [line] = (await once(shell.stdout, "data")) as [Buffer]; // the process id
  const running = { shell, pid: Number(line.toString("utf8")) };
  for (const endMs = performance.now() + readyMsMax; !(await answers(port)); await sleep(20)) {
    if (shell.exitCode !== null || performance.now() > endMs)
      throw new Error(`nats-server did not start:\n${readFileSync(join(folder, "server.log"), "utf8")}`);
  }
  return running;
}

/** Whether the server says its first line. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const say = (isThere: boolean): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once("data", () => say(true));
    socket.once("error", () => say(false));
  });
}
