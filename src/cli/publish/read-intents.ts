/** Intents from files and standard input. */
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import type { ClientIntent } from "../../client/index.js";
import { EventplaneError } from "../../kernel/errors.js";
import type { Input } from "../shell.js";

/** One intent of a file with the place it came from; a broken one has an error instead. */
export interface ListedIntent {
  /** From 1. */
  readonly line: number;
  readonly text: string;
  readonly intent: ClientIntent | EventplaneError;
}

/** The bytes of a file, or of standard input for `-`. @throws EventplaneError `usage` when it cannot be read */
export async function readText(path: string, stdin: Input): Promise<string> {
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of openInput(path, stdin)) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks).toString("utf8");
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** NDJSON: one intent a line, empty lines left out, read as slowly as they are taken. */
export async function* readLines(path: string, stdin: Input): AsyncGenerator<ListedIntent> {
  const input = Readable.from(openInput(path, stdin));
  let line = 0;
  try {
    for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      line += 1;
      if (text.trim() !== "") yield { line, text, intent: parseLine(text, line) };
    }
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** A JSON text as an object. @throws EventplaneError `json_invalid` naming what it is, never quoting it */
export function parseObject(text: string, what: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new EventplaneError("json_invalid", `${what} is not JSON.`); // the parser's own message would quote it
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new EventplaneError("json_invalid", `${what} is not a JSON object.`);
}

function parseLine(text: string, line: number): ClientIntent | EventplaneError {
  try {
    return parseObject(text, `Line ${line}`) as ClientIntent; // the edge checks every member
  } catch (error) {
    if (error instanceof EventplaneError) return error;
    throw error;
  }
}

async function* openInput(path: string, stdin: Input): AsyncGenerator<Uint8Array> {
  for await (const chunk of path === "-" ? stdin : createReadStream(path))
    yield typeof chunk === "string" ? Buffer.from(chunk) : chunk;
}

function unreadable(path: string, cause: unknown): unknown {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : undefined;
  if (code === undefined || cause instanceof EventplaneError) return cause;
  return new EventplaneError("usage", `${path} cannot be read (${code}).`, { cause });
}
