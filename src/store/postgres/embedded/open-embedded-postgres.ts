/**
 * The embedded default: a real PostgreSQL of our own on a data directory.
 *
 * Layout of the directory: `pgdata` (PostgreSQL), `plane.lock` (who holds it, JSON) with `plane.lock.N` (the lock
 * itself), `postgres.secret` (passwords, 0600), `postgres.log`.
 */
import { mkdir, realpath } from "node:fs/promises";
import { join, resolve } from "node:path";
import { EventplaneError } from "../../../kernel/index.js";
import { preparePostgresBinaries } from "./binaries.js";
import { ensureOwner } from "./bootstrap.js";
import { type Cluster, ensureCluster } from "./cluster.js";
import { type DataDirectoryLock, lockDataDirectory } from "./data-directory-lock.js";
import { fileFailure } from "./failure.js";
import { stopOrphan } from "./orphan.js";
import { chooseOsUser } from "./os-user.js";
import { type Server, type ServerExit, startServer } from "./server.js";

/** The two levels this module logs at; any logger with `(fields, message)` fits. */
export interface EmbeddedPostgresLogger {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** How to open an embedded PostgreSQL. */
export interface EmbeddedPostgresOptions {
  /** Made (0700) when missing; a relative path counts from the working directory. */
  readonly dataDir: string;
  readonly logger?: EmbeddedPostgresLogger;
  /** Ends the opening only; an open server is ended by close(). */
  readonly signal?: AbortSignal;
}

/** A running PostgreSQL that belongs to this process. It does not keep the process alive: when that ends, it is stopped. */
export interface EmbeddedPostgres extends AsyncDisposable {
  /** Database `eventplane` as its owner: no superuser, CREATEDB and CREATEROLE, as hosted PostgreSQL gives. Holds a password. */
  readonly ownerUrl: string;
  /** On 127.0.0.1; another one at each start. */
  readonly port: number;
  /** The postmaster's process id. */
  readonly pid: number;
  /** Absolute, symbolic links resolved. */
  readonly dataDir: string;
  /** Resolves when the server has ended: by close(), or because somebody killed it. Never rejects. */
  readonly exited: Promise<ServerExit>;
  /** Fast shutdown, within 8 s at the latest by force; then gives the directory free. Idempotent; safe after the server died. */
  close(): Promise<void>;
}

/**
 * Starts PostgreSQL on `dataDir`, on first use making it: cluster, role and database.
 *
 * Every commit is durable (fsync, synchronous_commit). When this process dies, however it dies, a watchdog stops the
 * server within about 2 s; should both be killed, the next opening finds the orphan and stops it.
 * Run as root, PostgreSQL gets the user that owns the cluster, or `postgres`, `eventplane` or `nobody`.
 *
 * An abort leaves a stopped server, a free directory, and at most an initialized cluster.
 *
 * @throws EventplaneError `data_directory_in_use` (within 2 s, naming the holder), `data_directory_unwritable`,
 *   `data_directory_damaged`, `disk_full`, `database_missing`, `database_unsupported`, `database_unreachable`,
 *   `key_file_insecure`, `aborted`
 */
export async function openEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  assertGoing(options.signal);
  const dataDir = await prepareFolder(resolve(options.dataDir));
  const lock = await lockDataDirectory(dataDir, options.signal);
  try {
    const { server, ownerUrl } = await start(dataDir, options);
    try {
      await lock.announce(server.port);
      assertGoing(options.signal);
      return opened({ dataDir, ownerUrl, server, lock });
    } catch (error) {
      await server.stop();
      throw error;
    }
  } catch (error) {
    await lock.release();
    throw fileFailure(error, dataDir);
  }
}

async function start(
  dataDir: string,
  { logger, signal }: EmbeddedPostgresOptions,
): Promise<{ readonly server: Server; readonly ownerUrl: string }> {
  const clusterDir = join(dataDir, "pgdata");
  const user = await chooseOsUser(clusterDir);
  const binaries = await preparePostgresBinaries(dataDir, user);
  const cluster: Cluster = { dataDir, clusterDir, logFile: join(dataDir, "postgres.log"), binaries, user };
  assertGoing(signal);
  const orphan = await stopOrphan(clusterDir, signal);
  if (orphan !== undefined) logger?.warn({ dataDir, pid: orphan }, "stopped the PostgreSQL of a killed plane");
  const { credentials, created } = await ensureCluster(cluster, signal);
  assertGoing(signal);
  const server = await startServer(cluster, signal);
  try {
    const ownerUrl = await ensureOwner({ dataDir, port: server.port, credentials, created });
    logger?.info({ dataDir, port: server.port, pid: server.pid, created }, "embedded PostgreSQL is ready");
    return { server, ownerUrl };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

function opened(parts: {
  readonly dataDir: string;
  readonly ownerUrl: string;
  readonly server: Server;
  readonly lock: DataDirectoryLock;
}): EmbeddedPostgres {
  const { dataDir, ownerUrl, server, lock } = parts;
  let closing: Promise<void> | undefined;
  const shutDown = async (): Promise<void> => {
    await server.stop();
    await lock.release();
  };
  const close = (): Promise<void> => (closing ??= shutDown());
  return {
    ownerUrl,
    port: server.port,
    pid: server.pid,
    dataDir,
    exited: server.exited,
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function prepareFolder(folder: string): Promise<string> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return await realpath(folder);
  } catch (error) {
    throw fileFailure(error, folder);
  }
}

function assertGoing(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new EventplaneError("aborted", "The start of the embedded PostgreSQL was aborted.");
}
