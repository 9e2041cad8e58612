/** Files of lines that only their owner may read. */
import { constants, type Stats } from "node:fs";
import { type FileHandle, mkdir, open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { geteuid } from "node:process";
import { EventplaneError } from "../kernel/index.js";

const fileMode = 0o600;
const folderMode = 0o700;
const writableByOthers = 0o022;
const stickyBit = 0o1000;
const rootUid = 0;
/** Not known to every system; there, symbolic links are followed. */
const noFollow = constants.O_NOFOLLOW ?? 0;
/** Longer than any line that is written. */
const tornBytesMax = 1_048_576;
const lineFeed = 0x0a;
const openingBrace = 0x7b;

/**
 * Opens a file for reading and appending, or makes it, with mode 0600 whatever the umask is; one that others may read is narrowed. Its folder is made
 * with mode 0700 when it is missing.
 *
 * @throws EventplaneError `config_invalid` for a symbolic link, a file with several names, of another user or not of the usual kind, and for a folder in which
 * others could put another file in its place; the system's errors otherwise
 */
export async function openPrivateFile(path: string): Promise<FileHandle> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: folderMode });
  assertFolder(folder, await stat(folder));
  const file = await openUnfollowed(path);
  try {
    assertFile(path, await file.stat());
    await file.chmod(fileMode);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * Cuts off the end of a file of JSON lines that has no line feed: a line that was torn when its process died.
 *
 * @returns the bytes that are left
 * @throws EventplaneError `config_invalid` when that can be no torn line; the file stays as it is
 */
export async function cutTornLine(path: string, file: FileHandle): Promise<number> {
  const { size } = await file.stat();
  const seen = Math.min(size, tornBytesMax);
  const { buffer } = await file.read(Buffer.alloc(seen), 0, seen, size - seen);
  const end = buffer.lastIndexOf(lineFeed) + 1;
  if (end === seen) return size;
  if (buffer[end] !== openingBrace || (end === 0 && seen < size))
    throw unusable(path, "does not end with a line of JSON: take another file, or move this one away");
  await file.truncate(size - seen + end);
  return size - seen + end;
}

async function openUnfollowed(path: string): Promise<FileHandle> {
  const { O_RDWR, O_APPEND, O_CREAT } = constants;
  try {
    return await open(path, O_RDWR | O_APPEND | O_CREAT | noFollow, fileMode);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "ELOOP") throw unusable(path, "is a symbolic link: name the file itself");
    if (code === "EISDIR") throw unusable(path, "is a folder: name a file");
    throw cause;
  }
}

function assertFolder(folder: string, { mode, uid }: Stats): void {
  const isOpen = (mode & writableByOthers) !== 0 && (mode & stickyBit) === 0;
  if (isOpen || !isOwn(uid, rootUid))
    throw unusable(folder, "is a folder in which others may put files in place of ours: take one that is yours alone");
}

function assertFile(path: string, stats: Stats): void {
  if (!stats.isFile()) throw unusable(path, "is no ordinary file");
  if (stats.nlink !== 1) throw unusable(path, "has another name in the file system: move it away");
  if (!isOwn(stats.uid)) throw unusable(path, "belongs to another user: move it away");
}

function isOwn(uid: number, ...others: readonly number[]): boolean {
  return geteuid === undefined || uid === geteuid() || others.includes(uid);
}

function unusable(path: string, why: string): EventplaneError {
  return new EventplaneError("config_invalid", `${path} ${why}.`, { details: { path } });
}
