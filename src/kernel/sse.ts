/** Frames of a text/event-stream (WHATWG HTML §9.2.6), as text. */
import { assert } from "./errors.js";

/** The members of one frame; absent ones are left out. */
export interface SseFrame {
  /** What a client sends as Last-Event-ID when it comes back. */
  readonly id?: string | undefined;
  /** The type of the message; `message` for the client when it is left out. */
  readonly event?: string | undefined;
  /** Any text: each of its lines, whatever ends it, is a line of the frame. */
  readonly data?: string | undefined;
  /** How long a client waits before it comes back, milliseconds. */
  readonly retryMs?: number | undefined;
}

const lineEnd = /\r\n|\r|\n/;
/** A line end would begin another member, and a NUL makes clients ignore an id. */
const unsafe = /[\r\n\0]/;

/** A comment that keeps intermediaries from closing an idle connection. */
export const sseHeartbeat = ": heartbeat\n\n";

/**
 * One frame with the blank line that ends it.
 *
 * @throws EventplaneError `internal` for an id or a type with a line end or NUL in it: the caller checks what comes from outside
 */
export function sseFrame({ id, event, data, retryMs }: SseFrame): string {
  let text = "";
  if (id !== undefined) text += oneLine("id", id);
  if (event !== undefined) text += oneLine("event", event);
  if (retryMs !== undefined) text += oneLine("retry", String(Math.floor(retryMs)));
  if (data !== undefined) text += lineEnd.test(data) ? data.split(lineEnd).map(dataLine).join("") : dataLine(data);
  return `${text}\n`;
}

function oneLine(name: string, value: string): string {
  assert(!unsafe.test(value), `the ${name} of a frame is one line`);
  return `${name}: ${value}\n`;
}

function dataLine(line: string): string {
  return `data: ${line}\n`;
}
