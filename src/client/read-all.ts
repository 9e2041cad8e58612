/** All events up to the end of the log, as the edge streams them: one request for as long as nothing breaks. */
import type { Event } from "../event/index.js";
import { EventplaneError, isEventplaneError } from "../kernel/errors.js";
import { problemError } from "./problem-error.js";
import { unlessSilent } from "./silence.js";
import type { SubscribeQuery } from "./subscription.js";
import type { ClientTransport } from "./transport.js";

/** Which events to read. All given parts must match. */
export interface ReadAllQuery extends SubscribeQuery {
  /** Positions smaller than this. */
  readonly before?: number;
  /** At most so many events. */
  readonly limit?: number;
  /** RFC 3339: recorded at or after, and before. */
  readonly recordedFrom?: string;
  readonly recordedBefore?: string;
}

const failuresInARowMax = 5;
const waitFirstMs = 100;

interface Place {
  position: number;
  /** Of the limit. */
  left: number | undefined;
  failures: number;
  isFiltered: boolean;
  isOpen: boolean;
}

/**
 * Reads to the end of the log as it is when the last request begins; goes on where a connection broke, five times in a row at most.
 *
 * @returns the position up to which everything was looked at: `after` of the next reading, or of a subscription
 * @throws EventplaneError what the edge answers; `event_corrupt` when positions are missing that nothing leaves out
 */
export async function* readAll(
  transport: ClientTransport,
  path: string,
  { query, signal }: { readonly query: ReadAllQuery; readonly signal?: AbortSignal | undefined },
): AsyncGenerator<Event, number, undefined> {
  const { after = 0, limit, ...filter } = query;
  const place: Place = { position: after, left: limit, failures: 0, isFiltered: false, isOpen: false };
  while (place.left !== 0) {
    try {
      return yield* reading(transport, path, { filter, place, signal });
    } catch (error) {
      if (signal?.aborted === true || !isEventplaneError(error)) throw error;
      const isRenewed = transport.renews && place.isOpen && error.code === "unauthenticated";
      if (!(error.retryable || isRenewed) || ++place.failures > failuresInARowMax) throw error;
      await transport.clock.sleep(waitFirstMs * 2 ** place.failures, signal);
    }
  }
  return place.position;
}

interface ReadingOptions {
  readonly filter: Omit<ReadAllQuery, "after" | "limit">;
  readonly place: Place;
  readonly signal: AbortSignal | undefined;
}

async function* reading(
  transport: ClientTransport,
  path: string,
  { filter, place, signal: given }: ReadingOptions,
): AsyncGenerator<Event, number, undefined> {
  const ended = new AbortController();
  const signal = given === undefined ? ended.signal : AbortSignal.any([ended.signal, given]);
  const query = { ...filter, after: place.position, limit: place.left };
  place.isOpen = false;
  const opening = transport.open({
    path,
    query,
    headers: { accept: "application/x-ndjson" },
    repeatable: true,
    signal,
  });
  const response = await unlessSilent(opening, transport.clock, ended);
  place.isOpen = true;
  place.isFiltered = response.headers.get("eventplane-filtered") === "true";
  try {
    for await (const line of linesOf(response, transport, ended)) {
      const said = JSON.parse(line) as Line; // the edge sends no others
      place.failures = 0;
      if (said.end?.code !== undefined) throw problemError(said.end, 503);
      if (said.end !== undefined) return said.end.position;
      if (said.bookmark === undefined)
        yield take(said as Event, place); // neither of the others
      else place.position = said.bookmark.position;
    }
  } finally {
    ended.abort();
  }
  throw new EventplaneError("unavailable", "The connection broke before the last line.");
}

/** One line is an event, a bookmark, or the last one, which has a code when it ended before its time. */
type Line = Partial<Event> & {
  readonly bookmark?: { readonly position: number };
  readonly end?: { readonly position: number; readonly code?: string };
};

function take(event: Event, place: Place): Event {
  if (!place.isFiltered && event.position !== place.position + 1)
    throw new EventplaneError("event_corrupt", `Position ${event.position} came where ${place.position + 1} was due.`);
  place.position = event.position;
  if (place.left !== undefined) place.left--;
  return event;
}

async function* linesOf(
  response: Response,
  { clock }: ClientTransport,
  ended: AbortController,
): AsyncGenerator<string, void, undefined> {
  if (response.body === null) return;
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const chunk = await unlessSilent(reader.read(), clock, ended).catch((cause: unknown) => {
      throw new EventplaneError("unavailable", "The connection broke before the last line.", { cause });
    });
    if (chunk.done) return;
    const lines = (rest + decoder.decode(chunk.value, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
