/** Dead letters in a file: one line of JSON for each that comes or goes, after one with the greatest number so far. */
import { type FileHandle, open, readFile, rename, rm } from "node:fs/promises";
import { compileSchema, EventplaneError, type SchemaCheck } from "../kernel/index.js";
import { type DeadLetter, type DeadLetterStore, MemoryDeadLetters, type NewDeadLetter } from "./dead-letter.js";
import { asEventJson } from "./event-json.js";
import { topicTokens } from "./pattern.js";
import { openPrivateFile } from "./private-file.js";

const fileMode = 0o600;
/** Lines that tell of letters which are gone, before the file is written anew. */
const deadLinesMax = 2_000;

/**
 * A store that a restart finds again. What was flushed is on the disk; of what was not, the end may be missing: a torn last line is
 * cut off when the file is opened, and nothing before it is touched. One process at a time.
 */
export class FileDeadLetters implements DeadLetterStore {
  readonly #path: string;
  readonly #letters: MemoryDeadLetters;
  #file: FileHandle;
  #waiting: string[] = [];
  #deadLines: number;
  #writing: Promise<void> = Promise.resolve();
  /** Something could not be written: the next write writes everything. */
  #isBehind = false;

  private constructor(path: string, file: FileHandle, read: { letters: MemoryDeadLetters; deadLines: number }) {
    this.#path = path;
    this.#file = file;
    this.#letters = read.letters;
    this.#deadLines = read.deadLines;
  }

  /**
   * Opens the file, or makes it with mode 0600.
   *
   * @throws EventplaneError `config_invalid` for a bound out of its range, a path that is not safe or a file that holds something else; the system's
   * errors otherwise
   */
  static async open(path: string, options: { readonly lettersMax?: number } = {}): Promise<FileDeadLetters> {
    const file = await openPrivateFile(path);
    try {
      const letters = new MemoryDeadLetters(options);
      const bytes = await readFile(path);
      const end = bytes.lastIndexOf("\n") + 1;
      let lines = 0;
      for (let at = 0; at < end; lines++) {
        const next = bytes.indexOf("\n", at) + 1;
        readLine(letters, bytes.subarray(at, next), `${path}:${lines + 1}`);
        at = next;
      }
      await file.truncate(end);
      return new FileDeadLetters(path, file, { letters, deadLines: lines - letters.size });
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  get size(): number {
    return this.#letters.size;
  }

  get dropped(): number {
    return this.#letters.dropped;
  }

  add(letter: NewDeadLetter): DeadLetter {
    const sizeBefore = this.#letters.size;
    const kept = this.#letters.add(letter);
    if (this.#letters.size === sizeBefore) this.#deadLines++;
    this.#write(JSON.stringify(kept));
    return kept;
  }

  all(): Iterable<DeadLetter> {
    return this.#letters.all();
  }

  get(number: number): DeadLetter | undefined {
    return this.#letters.get(number);
  }

  remove(number: number): boolean {
    const wasThere = this.#letters.remove(number);
    if (wasThere) {
      this.#deadLines += 2;
      this.#write(JSON.stringify({ removed: number }));
    }
    return wasThere;
  }

  /** @throws the system's error when something could not be written; the next call tries again by writing the file anew */
  async flush(): Promise<void> {
    const flushed = this.#writing.then(async () => {
      if (this.#isBehind) await this.#writeAnew();
      await this.#file.datasync();
    });
    // One after the other, whoever writes.
    this.#writing = flushed.catch(() => undefined);
    await flushed;
  }

  /** Flushes and closes. */
  async close(): Promise<void> {
    await this.flush();
    await this.#file.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #write(line: string): void {
    this.#waiting.push(line);
    if (this.#waiting.length > 1) return this.#boundWaiting();
    this.#writing = this.#writing.then(() => this.#writeWaiting());
  }

  /** The disk does not keep up: what is kept by then is written anew, instead of all that came and went. */
  #boundWaiting(): void {
    if (this.#waiting.length <= deadLinesMax + this.#letters.size) return;
    this.#waiting.length = 1;
    this.#isBehind = true;
  }

  async #writeWaiting(): Promise<void> {
    try {
      if (this.#isBehind || this.#deadLines > deadLinesMax + this.#letters.size) await this.#writeAnew();
      else await this.#append();
    } catch {
      // `add` has nobody to tell; `flush` tries again and tells.
      this.#isBehind = true;
    }
  }

  #append(): Promise<void> {
    const lines = this.#waiting;
    this.#waiting = [];
    return this.#file.appendFile(lines.map((line) => `${line}\n`).join(""));
  }

  async #writeAnew(): Promise<void> {
    this.#waiting = [];
    this.#deadLines = 1;
    // Before it is written: lines may be given up meanwhile.
    this.#isBehind = false;
    try {
      await this.#replaceFile();
    } catch (error) {
      this.#isBehind = true;
      throw error;
    }
  }

  async #replaceFile(): Promise<void> {
    const last = `${JSON.stringify({ last: this.#letters.last })}\n`;
    const lines = Array.from(this.#letters.all(), (letter) => `${JSON.stringify(letter)}\n`);
    // What an earlier try left, or somebody else put there: it is not written into.
    await rm(`${this.#path}.new`, { force: true });
    const fresh = await open(`${this.#path}.new`, "wx", fileMode);
    try {
      await fresh.writeFile(last + lines.join(""));
      await fresh.datasync();
    } finally {
      await fresh.close();
    }
    await rename(`${this.#path}.new`, this.#path);
    const old = this.#file;
    this.#file = await openPrivateFile(this.#path);
    await old.close();
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });
const text = { type: "string" } as const;
const letterSchema = {
  type: "object",
  properties: {
    number: { type: "integer", minimum: 1 },
    subscription: text,
    event: {},
    attempts: { type: "integer", minimum: 0 },
    error: {
      type: "object",
      properties: { name: text, message: text, code: text },
      required: ["name", "message"],
    },
    failedAtMs: { type: "number" },
  },
  required: ["number", "subscription", "event", "attempts", "error", "failedAtMs"],
} as const;
/** Compiled when it is first needed, as that of events. */
let letterProblems: SchemaCheck | undefined;

function readLine(letters: MemoryDeadLetters, line: Uint8Array, place: string): void {
  letterProblems ??= compileSchema(letterSchema);
  try {
    const value: unknown = JSON.parse(utf8.decode(line));
    if (typeof value !== "object" || value === null) throw new Error("no object");
    if ("removed" in value) letters.remove(Number(value.removed));
    else if ("last" in value) letters.continueAfter(asNumber(value.last));
    else letters.restore(asLetter(value, letterProblems));
  } catch (cause) {
    throw new EventplaneError(
      "config_invalid",
      `${place} holds no dead letter. Take another file, or move this one away.`,
      {
        cause,
      },
    );
  }
}

function asNumber(value: unknown): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new Error("no number");
}

/** It is handed to handlers again: all of it is checked. */
function asLetter(value: object, problemsOf: SchemaCheck): DeadLetter {
  const [problem] = problemsOf(value);
  if (problem !== undefined) throw new Error(`${problem.pointer} ${problem.message}`);
  const letter = value as DeadLetter; // the schema says so, and the next two lines of its event
  asEventJson(letter.event);
  topicTokens(letter.event.topic);
  return letter;
}
