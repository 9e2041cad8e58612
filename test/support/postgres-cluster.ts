/**
 * A throw-away PostgreSQL cluster made from the system's own binaries (the npm package's where there are none, which
 * have no pg_dump and psql), on 127.0.0.1 and a free port, with the server's
 * default durability. The postmaster is the child of a small shell that stops it when its standard input closes, so
 * the server goes away with the test run, also when the run itself is killed.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { accessSync, constants, readdirSync, readFileSync } from "node:fs";
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import { preparePostgresBinaries } from "../../src/store/postgres/embedded/binaries.js";

/** A cluster that a test may kill, stop and start again; port and password stay the same. */
export interface PostgresCluster {
  /** `postgres://postgres:…@127.0.0.1:port/postgres` */
  readonly superuserUrl: string;
  readonly port: number;
  /** The postmaster's process id; changes with each start. */
  readonly pid: number;
  readonly dataDir: string;
  /** The folder of initdb, postgres and, of the same version when the system has them, pg_dump and psql. */
  readonly binDir: string;
  /** SIGKILL to the postmaster and all of its children: a power cut without the loss of the page cache. */
  kill9(): Promise<void>;
  /** Fast shutdown; the data stay. */
  stop(): Promise<void>;
  /** Starts the stopped or killed server again on the same data and port, and waits until it answers. */
  start(): Promise<void>;
  /** Stops the server and removes its folder (never a `dataDir` that the caller gave). Safe to call twice. */
  close(): Promise<void>;
}

/** How to start a cluster. */
export interface PostgresOptions {
  /** An existing or empty data directory to use; by default a fresh one in the system's temp folder. */
  readonly dataDir?: string;
  /** Extra server settings, for example `{ fsync: "off" }`. */
  readonly config?: Readonly<Record<string, string>>;
}

interface OsUser {
  readonly uid: number;
  readonly gid: number;
}

interface Running {
  readonly shell: ChildProcess;
  readonly pid: number;
}

interface Cluster {
  readonly binDir: string;
  readonly folder: string;
  readonly dataDir: string;
  readonly port: number;
  readonly url: string;
  readonly user: OsUser | undefined;
  readonly config: Readonly<Record<string, string>>;
}

const run = promisify(execFile);
const START_TRIES_MAX = 5;
const READY_WAIT_MS = 60_000;

/**
 * The shell ends when the server has ended. A line on its standard input stops the server and keeps the data; the end
 * of the input without a line means that the test run is gone: then the folder goes too.
 */
const guardScript = `
exec 3<&0
"$@" >>"$FOLDER/server.log" 2>&1 3<&- &
server=$!
( read -r word <&3 || touch "$FOLDER/orphaned"; kill -INT "$server" ) &
guard=$!
echo "$server"
wait "$server"
kill "$guard" 2>/dev/null
if [ -e "$FOLDER/orphaned" ]; then rm -rf "$FOLDER"; fi
`;

/** Starts a PostgreSQL cluster of the system's newest binaries; falls back to the npm package's. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresCluster> {
  const cluster = await prepare(options);
  let running: Running | undefined = await launch(cluster);
  let pid = running.pid;
  const stop = async (): Promise<void> => {
    const { shell } = running ?? {};
    running = undefined;
    if (shell !== undefined) await endShell(shell);
  };
  return {
    superuserUrl: cluster.url,
    port: cluster.port,
    get pid() {
      return pid;
    },
    dataDir: cluster.dataDir,
    binDir: cluster.binDir,
    stop,
    async kill9() {
      killTree(pid);
      await stop();
    },
    async start() {
      if (running !== undefined) throw new Error(`the server on port ${cluster.port} already runs`);
      running = await launch(cluster);
      pid = running.pid;
    },
    async close() {
      await stop();
      await rm(cluster.folder, { recursive: true, force: true });
    },
  };
}

async function prepare(options: PostgresOptions): Promise<Cluster> {
  const user = unprivilegedUser();
  const folder = await mkdtemp(join(tmpdir(), "eventplane-pg-"));
  const dataDir = options.dataDir ?? join(folder, "data");
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  if (user !== undefined) {
    await chown(folder, user.uid, user.gid);
    await chown(dataDir, user.uid, user.gid);
  }
  await chmod(dataDir, 0o700);
  const binDir = findBinDir() ?? dirname((await preparePostgresBinaries(folder, user)).initdb);
  const password = await initialise({ binDir, folder, dataDir, user });
  const port = await freePort();
  const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
  return { binDir, folder, dataDir, port, url, user, config: options.config ?? {} };
}

/** Creates the cluster unless the directory already holds one; the superuser's password stays beside the data. */
async function initialise(place: Pick<Cluster, "binDir" | "folder" | "dataDir" | "user">): Promise<string> {
  const kept = join(place.dataDir, "test-password");
  if (readdirSync(place.dataDir).includes("PG_VERSION")) return readFile(kept, "utf8");
  const password = randomBytes(12).toString("hex");
  const passwordFile = join(place.folder, "password");
  await writeFile(passwordFile, password, { mode: 0o644 });
  const auth = ["--username=postgres", `--pwfile=${passwordFile}`, "--auth-host=scram-sha-256", "--auth-local=trust"];
  const args = [...auth, "--encoding=UTF8", "--no-locale", "--no-sync", "-D", place.dataDir];
  await run(join(place.binDir, "initdb"), args, { ...place.user, cwd: place.folder });
  await writeFile(kept, password, { mode: 0o644 });
  return password;
}

async function launch(cluster: Cluster): Promise<Running> {
  for (let attempt = 1; ; attempt += 1) {
    const running = await spawnServer(cluster);
    if (await answers(cluster, running)) return running;
    await endShell(running.shell);
    // The children of a killed postmaster need a moment to let go of the shared memory and the port.
    if (attempt === START_TRIES_MAX) throw new Error(`PostgreSQL does not start:\n${await logTail(cluster)}`);
    await sleep(200 * attempt);
  }
}

async function spawnServer(cluster: Cluster): Promise<Running> {
  const settings = {
    listen_addresses: "127.0.0.1",
    port: String(cluster.port),
    unix_socket_directories: cluster.folder,
    max_connections: "300",
    ...cluster.config,
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const shell = spawn(
    "sh",
    ["-c", guardScript, "sh", join(cluster.binDir, "postgres"), "-D", cluster.dataDir, ...flags],
    {
      ...cluster.user,
      cwd: cluster.folder,
      detached: true,
      stdio: ["pipe", "pipe", "ignore"],
      env: { PATH: process.env.PATH, FOLDER: cluster.folder },
    },
  );
  // A server that has died takes the shell with it: then nobody is left to read "stop", and that is as good.
  shell.stdin.on("error", () => {});
  const [line] = await once(shell.stdout, "data");
  return { shell, pid: Number(String(line)) };
}

async function endShell(shell: ChildProcess): Promise<void> {
  if (hasEnded(shell)) return;
  const ended = once(shell, "exit");
  shell.stdin?.end("stop\n");
  await ended;
}

function hasEnded(shell: ChildProcess): boolean {
  return shell.exitCode !== null || shell.signalCode !== null;
}

/** True as soon as the server takes a query; false when it ended or did not answer in time. */
async function answers(cluster: Cluster, { shell }: Running): Promise<boolean> {
  const deadline = performance.now() + READY_WAIT_MS;
  while (!hasEnded(shell) && performance.now() < deadline) {
    const client = new pg.Client({ connectionString: cluster.url, connectionTimeoutMillis: 5_000 });
    try {
      await client.connect();
      await client.query("select 1");
      return !hasEnded(shell);
    } catch {
      await sleep(50);
    } finally {
      await client.end().catch(() => {});
    }
  }
  return false;
}

function killTree(pid: number): void {
  for (const victim of [pid, ...childrenOf(pid)]) {
    try {
      process.kill(victim, "SIGKILL");
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
    }
  }
}

/** Without /proc the children are left to notice the postmaster's death by themselves, which they do at once. */
function childrenOf(pid: number): readonly number[] {
  try {
    const list = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    return list.split(" ").filter(Boolean).map(Number);
  } catch {
    return [];
  }
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

async function logTail(cluster: Cluster): Promise<string> {
  const log = await readFile(join(cluster.folder, "server.log"), "utf8").catch(() => "(no log)");
  return log.split("\n").slice(-20).join("\n");
}

/** Where PostgreSQL's own programs are on this machine; undefined when it has none. */
export function findBinDir(): string | undefined {
  const versions = ["/usr/lib/postgresql", "/usr"].flatMap((root) =>
    subFolders(root)
      .filter((name) => root !== "/usr" || name.startsWith("pgsql-"))
      .sort((a, b) => Number.parseFloat(b.replace("pgsql-", "")) - Number.parseFloat(a.replace("pgsql-", "")))
      .map((name) => join(root, name, "bin")),
  );
  return [...(process.env.PATH ?? "").split(delimiter), ...versions].find((dir) =>
    ["initdb", "postgres", "pg_dump"].every((name) => isExecutable(join(dir, name))),
  );
}

function subFolders(root: string): readonly string[] {
  try {
    return readdirSync(root);
  } catch {
    return [];
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** PostgreSQL refuses to run as root: then it runs as `postgres`, or as `nobody` where there is no such user. */
function unprivilegedUser(): OsUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ["postgres", "nobody"]) {
    try {
      const id = (flag: string): number =>
        Number(execFileSync("id", [flag, name], { stdio: "pipe", encoding: "utf8" }));
      return { uid: id("-u"), gid: id("-g") };
    } catch {
      // The next name.
    }
  }
  throw new Error("PostgreSQL does not run as root, and this machine has neither a user `postgres` nor `nobody`.");
}
