/**
 * One living plane per data directory.
 *
 * The lock is a file `plane.lock.N`; the highest N counts. It comes into being complete (hard link of a finished file),
 * is never replaced, and is emptied on release. A new holder makes N + 1, so of all who saw the same dead holder
 * exactly one succeeds, without a delete-and-create gap. Older numbers are removed only after the new one stands, hence
 * whoever comes late with an old number finds a higher one and yields. `plane.lock` beside it is for people and tools.
 *
 * A holder on the same machine is judged by pid and process start time; one in another container or on another machine
 * by its heartbeat: the time of its file moves every second while it lives.
 */
import { randomBytes } from "node:crypto";
import { link, readdir, readFile, rename, rm, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { EventplaneError, formatUs, systemClock } from "../../../kernel/index.js";
import { fileFailure, isMissing, systemCode } from "./failure.js";
import { ownIdentity, type ProcessIdentity, processStartOf } from "./process-identity.js";

/** Who holds a data directory; the content of `plane.lock`. */
export interface LockHolder extends ProcessIdentity {
  readonly host: string;
  /** When the lock was taken, RFC 3339 UTC. */
  readonly startedAt: string;
  /** PostgreSQL's port on 127.0.0.1; null until it runs. */
  readonly port: number | null;
}

/** A lock that is held. */
export interface DataDirectoryLock {
  /** Writes the port of the running server into `plane.lock`. */
  announce(port: number): Promise<void>;
  /** Gives the directory free; idempotent. */
  release(): Promise<void>;
}

const INFO_FILE = "plane.lock";
const NUMBERED = /^plane\.lock\.(\d{1,15})$/;
const HEARTBEAT_MS = 1_000;
const FOREIGN_HOLDER_SILENT_MS = 5_000;
const FOREIGN_HOLDER_POLL_MS = 100;
const TRIES_MAX = 50;

/**
 * Takes the lock of `dataDir`, an existing directory. A holder that is dead or that released is no obstacle.
 *
 * @throws EventplaneError `data_directory_in_use` naming pid, host and time of the holder, within 2 s; or as {@link fileFailure}
 */
export async function lockDataDirectory(dataDir: string, signal?: AbortSignal): Promise<DataDirectoryLock> {
  const holder: LockHolder = {
    ...(await ownIdentity()),
    host: hostname(),
    startedAt: formatUs(systemClock.nowUs()),
    port: null,
  };
  for (let attempt = 0; attempt < TRIES_MAX; attempt += 1) {
    const top = (await numbers(dataDir)).at(-1) ?? 0;
    if (top > 0) await assertFree(dataDir, top, signal);
    if (await takeNumber(dataDir, top + 1, holder)) return held(dataDir, top + 1, holder);
  }
  throw inUse(dataDir, "several planes are starting on it at this moment");
}

async function numbers(dataDir: string): Promise<readonly number[]> {
  const names = await readdir(dataDir).catch((error: unknown) => {
    throw fileFailure(error, dataDir);
  });
  const found = names.map((name) => NUMBERED.exec(name)?.[1]).filter((digits) => digits !== undefined);
  return found.map(Number).sort((a, b) => a - b);
}

const fileOf = (dataDir: string, number: number): string => join(dataDir, `${INFO_FILE}.${number}`);

/** True when lock `number` is now ours and no higher one exists; false leaves nothing behind. */
export async function takeNumber(dataDir: string, number: number, holder: LockHolder): Promise<boolean> {
  const complete = join(dataDir, `${INFO_FILE}.new-${randomBytes(6).toString("hex")}`);
  try {
    await writeFile(complete, `${JSON.stringify(holder)}\n`, { flag: "wx", mode: 0o600 });
    await link(complete, fileOf(dataDir, number));
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw fileFailure(error, dataDir);
  } finally {
    await rm(complete, { force: true });
  }
  const all = await numbers(dataDir);
  if (all.some((other) => other > number)) {
    await rm(fileOf(dataDir, number), { force: true });
    return false;
  }
  await Promise.all(all.filter((other) => other < number).map((other) => rm(fileOf(dataDir, other), { force: true })));
  return true;
}

async function held(dataDir: string, number: number, holder: LockHolder): Promise<DataDirectoryLock> {
  const file = fileOf(dataDir, number);
  const beat = setInterval(() => {
    const now = systemClock.nowUs() / 1e6;
    // A missed beat needs no handling: only a holder in another container is judged by it, and only after five.
    utimes(file, now, now).catch(() => {});
  }, HEARTBEAT_MS);
  beat.unref();
  const info = join(dataDir, INFO_FILE);
  const publish = async (port: number | null): Promise<void> => {
    await writeFile(`${info}.new`, `${JSON.stringify({ ...holder, port })}\n`, { mode: 0o600 });
    await rename(`${info}.new`, info);
  };
  let released: Promise<void> | undefined;
  const release = async (): Promise<void> => {
    clearInterval(beat);
    await rm(info, { force: true });
    // The folder may have been removed under us: then there is nothing left to give free.
    await truncate(file, 0).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
  };
  const lock: DataDirectoryLock = {
    announce: publish,
    release: () => (released ??= release()),
  };
  await publish(null).catch(async (error: unknown) => {
    await lock.release();
    throw fileFailure(error, dataDir);
  });
  return lock;
}

/** Returns when lock `number` is released, dead or gone; throws when its holder lives. */
async function assertFree(dataDir: string, number: number, signal?: AbortSignal): Promise<void> {
  const file = fileOf(dataDir, number);
  const holder = await readHolder(file);
  if (holder === undefined) return;
  const here = await ownIdentity();
  const lives =
    holder.machine === here.machine
      ? (await processStartOf(holder.pid)) === holder.processStart
      : await beats(file, signal);
  if (lives) throw inUse(dataDir, `process ${holder.pid} on ${holder.host} since ${holder.startedAt}`, holder);
}

/** undefined when the lock was released, is gone, or is not readable as a lock (a torn write at a power cut). */
async function readHolder(file: string): Promise<LockHolder | undefined> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    if (isMissing(error)) return "";
    throw fileFailure(error, file);
  });
  try {
    const value: unknown = JSON.parse(text);
    return isHolder(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isHolder(value: unknown): value is LockHolder {
  if (typeof value !== "object" || value === null || !("pid" in value) || !Number.isSafeInteger(value.pid))
    return false;
  return ["processStart", "machine", "host", "startedAt"].every((name) => {
    return typeof Object.getOwnPropertyDescriptor(value, name)?.value === "string";
  });
}

/** True as soon as the heartbeat moves; false when it stood still for {@link FOREIGN_HOLDER_SILENT_MS}. */
async function beats(file: string, signal?: AbortSignal): Promise<boolean> {
  const timeOf = async (): Promise<number | undefined> => (await stat(file).catch(() => undefined))?.mtimeMs;
  const first = await timeOf();
  for (let waitedMs = 0; waitedMs < FOREIGN_HOLDER_SILENT_MS; waitedMs += FOREIGN_HOLDER_POLL_MS) {
    await systemClock.sleep(FOREIGN_HOLDER_POLL_MS, signal);
    const now = await timeOf();
    if (now === undefined) return false;
    if (now !== first) return (await readHolder(file)) !== undefined;
  }
  return false;
}

function inUse(dataDir: string, holderText: string, holder?: LockHolder): EventplaneError {
  const message = `The data directory ${dataDir} is in use by another plane: ${holderText}. Stop that plane or choose another data directory.`;
  const known = holder === undefined ? {} : { pid: holder.pid, host: holder.host, startedAt: holder.startedAt };
  return new EventplaneError("data_directory_in_use", message, { details: { dataDir, ...known } });
}
