/** The files of a log: one that is written, and full ones beside it until they are too many or too old. */
import { type FileHandle, readdir, rename, stat, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type Clock, formatUs, parseUs } from "../kernel/index.js";
import { cutTornLine, openPrivateFile } from "./private-file.js";

/** When a new file begins, and how long full ones are kept. */
export interface LogFileBounds {
  /** Bytes of a file; a longer line has a file of its own. */
  readonly fileBytesMax: number;
  /** Age of a file, from its first line. */
  readonly fileAgeMs: number;
  /** Full files that are kept, and for how long after they were full. */
  readonly filesMax: number;
  readonly keepMs: number;
}

/** What a set of files uses. */
interface LogFilesParts extends LogFileBounds {
  readonly clock: Clock;
  /** A full file could not be removed. */
  readonly onError: (error: unknown) => void;
}

interface Current {
  readonly file: FileHandle;
  readonly inode: number;
  /** Time of its first line. */
  begunMs: number;
  bytes: number;
}

const firstTime = /^\{[^\n]{0,200}?"time":"([^"]{1,40})"/;
const firstBytes = 512;
/** What follows the file's name in that of a full one. */
const fullName = /^\.(\d{8}T\d{6}\.\d{3}Z)$/;

/** Appends lines. One process at a time. */
export class LogFiles {
  readonly #path: string;
  readonly #parts: LogFilesParts;
  #current: Current | undefined;

  constructor(path: string, parts: LogFilesParts) {
    this.#path = path;
    this.#parts = parts;
  }

  /** Opens the file and removes full ones beyond the bounds. Throws as {@link openPrivateFile} and {@link cutTornLine}. */
  async open(): Promise<void> {
    await this.#opened();
    await this.#sweep();
  }

  /**
   * Appends as many of the lines as fit into one file, at least one.
   *
   * @returns how many
   * @throws the system's errors; none of the lines is in the file then
   */
  async append(lines: readonly string[]): Promise<number> {
    let current = await this.#opened();
    if (this.#isFull(current, Buffer.byteLength(lines[0] ?? ""))) {
      await this.#rotate();
      current = await this.#opened();
    }
    const taken: string[] = [];
    let bytes = current.bytes;
    for (const line of lines) {
      const after = bytes + Buffer.byteLength(line);
      if (taken.length > 0 && after > this.#parts.fileBytesMax) break;
      taken.push(line);
      bytes = after;
    }
    await this.#write(current, Buffer.from(taken.join("")));
    return taken.length;
  }

  /** Resolves when the lines are on the disk. */
  async sync(): Promise<void> {
    await this.#current?.file.datasync();
  }

  /** Closes the file; the next append opens it again. */
  async close(): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    await current?.file.close();
  }

  /** The file, opened again when it was moved away or removed. */
  async #opened(): Promise<Current> {
    if (this.#current !== undefined && this.#current.inode === (await this.#inodeNow())) return this.#current;
    await this.close();
    const file = await openPrivateFile(this.#path);
    try {
      const bytes = await cutTornLine(this.#path, file);
      const { ino: inode } = await file.stat();
      this.#current = { file, inode, bytes, begunMs: (await firstTimeIn(file)) ?? this.#nowMs() };
      return this.#current;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async #inodeNow(): Promise<number | undefined> {
    try {
      return (await stat(this.#path)).ino;
    } catch {
      // It is gone, or nobody may look: opening it says which.
      return undefined;
    }
  }

  #isFull({ bytes, begunMs }: Current, moreBytes: number): boolean {
    if (bytes === 0) return false;
    return bytes + moreBytes > this.#parts.fileBytesMax || this.#nowMs() - begunMs >= this.#parts.fileAgeMs;
  }

  async #write(current: Current, bytes: Buffer): Promise<void> {
    try {
      for (let at = 0; at < bytes.length; ) at += (await current.file.write(bytes, at)).bytesWritten;
      if (current.bytes === 0) current.begunMs = this.#nowMs();
      current.bytes += bytes.length;
    } catch (error) {
      // A part may be written: what is tried again must not be there twice, or torn.
      await current.file.truncate(current.bytes).catch(this.#parts.onError);
      await this.close();
      throw error;
    }
  }

  async #rotate(): Promise<void> {
    // One after the other, whatever the clock does.
    const newestMs = (await this.#fullFiles()).at(-1)?.fullMs ?? 0;
    const name = `${basename(this.#path)}.${stampOf(Math.max(this.#nowMs(), newestMs + 1))}`;
    await rename(this.#path, join(dirname(this.#path), name));
    await this.close();
    await this.#sweep();
  }

  async #sweep(): Promise<void> {
    const { filesMax, keepMs, onError } = this.#parts;
    const full = await this.#fullFiles();
    const oldestMs = this.#nowMs() - keepMs;
    const surplus = full.filter(({ fullMs }, index) => index < full.length - filesMax || fullMs < oldestMs);
    for (const { name } of surplus) await unlink(join(dirname(this.#path), name)).catch(onError);
  }

  /** The full files, the oldest first. */
  async #fullFiles(): Promise<readonly { readonly name: string; readonly fullMs: number }[]> {
    const prefix = basename(this.#path);
    const entries = await readdir(dirname(this.#path), { withFileTypes: true });
    const found = entries.flatMap((entry) => {
      const isOurs = entry.isFile() && entry.name.startsWith(prefix);
      const [, stamp] = (isOurs ? fullName.exec(entry.name.slice(prefix.length)) : null) ?? [];
      const fullMs = stamp === undefined ? undefined : stampMs(stamp);
      return fullMs === undefined ? [] : [{ name: entry.name, fullMs }];
    });
    return found.toSorted((a, b) => a.fullMs - b.fullMs);
  }

  #nowMs(): number {
    return this.#parts.clock.nowUs() / 1000;
  }
}

async function firstTimeIn(file: FileHandle): Promise<number | undefined> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(firstBytes), 0, firstBytes, 0);
  const [, time = ""] = firstTime.exec(buffer.toString("utf8", 0, bytesRead)) ?? [];
  const us = parseUs(time);
  return us === undefined ? undefined : us / 1000;
}

function stampOf(ms: number): string {
  const [seconds = "", fraction = ""] = formatUs(Math.floor(ms) * 1000).split(".");
  return `${seconds.replaceAll(/[-:]/g, "")}.${fraction.slice(0, 3)}Z`;
}

function stampMs(stamp: string): number | undefined {
  const [year, month, day, hour, minute, second] = [0, 4, 6, 9, 11, 13].map((at) =>
    stamp.slice(at, at === 0 ? 4 : at + 2),
  );
  const us = parseUs(`${year}-${month}-${day}T${hour}:${minute}:${second}${stamp.slice(15)}`);
  return us === undefined ? undefined : us / 1000;
}
