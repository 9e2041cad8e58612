/**
 * A subscription that lasts: it connects again where it stopped, drops what comes twice and notices what is missing.
 */
import type { Event } from "../event/index.js";
import { EventplaneError, isEventplaneError } from "../kernel/errors.js";
import { problemError } from "./problem-error.js";
import { unlessSilent } from "./silence.js";
import { type SseMessage, SseParser } from "./sse-parser.js";
import type { ClientTransport } from "./transport.js";

/** What to subscribe to. All given parts must match. */
export interface SubscribeQuery {
  /** Positions greater than this; default: from now on. */
  readonly after?: number;
  readonly kind?: "intent" | "fact" | "internal";
  readonly type?: string;
  readonly aggregateType?: string;
  readonly aggregateId?: string;
  readonly correlationId?: string;
}

/** What a subscription gives: events in position order, and bookmarks, up to which everything was looked at. */
export type SubscriptionItem =
  | { readonly type: "event"; readonly event: Event }
  | { readonly type: "bookmark"; readonly position: number };

/** How to subscribe. */
export interface SubscribeOptions {
  readonly signal?: AbortSignal | undefined;
  /** Hears when the connection is open and when it broke; it is opened again by itself. Must not throw. */
  readonly onConnection?: ((isOpen: boolean) => void) | undefined;
}

const reconnectFirstMs = 100;
const reconnectMaxMs = 5_000;
const gapsInARowMax = 3;

/** The edge leaves something out, for a filter or for the scopes of the key, so positions have gaps. */
const filteredHeader = "eventplane-filtered";
/** Codes after which connecting again cannot help. */
const finalCodes: ReadonlySet<string> = new Set(["unauthenticated", "forbidden", "request_invalid", "not_found"]);

/**
 * Follows a tenant's log for ever, until the caller stops iterating or `signal` aborts (then it ends without an error).
 *
 * Without a filter a missing position makes it connect again from the last one; three times in a row is an error.
 *
 * @throws EventplaneError a refusal that connecting again does not change; `event_corrupt` when positions are missing
 */
export async function* subscribe(
  transport: ClientTransport,
  path: string,
  options: { readonly query: SubscribeQuery } & SubscribeOptions,
): AsyncGenerator<SubscriptionItem, void, undefined> {
  const { after, ...filter } = options.query;
  const place: Place = {
    position: after,
    isFiltered: Object.values(filter).some((value) => value !== undefined),
    gaps: 0,
    failures: 0,
    isOpen: false,
  };
  const isAborted = (): boolean => options.signal?.aborted === true;
  while (!isAborted()) {
    try {
      yield* connection(transport, { ...options, path, filter, place });
    } catch (error) {
      if (isAborted()) return;
      // A token that ended ends its connection; the next one is opened with another.
      const isOver = transport.renews && place.isOpen && isEventplaneError(error, "unauthenticated");
      if (!isOver && (!isEventplaneError(error) || !mayReconnect(error))) throw error;
    }
    if (place.isOpen) options.onConnection?.(false);
    const waitMs = Math.min(reconnectMaxMs, reconnectFirstMs * 2 ** place.failures++);
    await transport.clock.sleep(waitMs, options.signal).catch(() => undefined);
  }
}

interface Place {
  position: number | undefined;
  isFiltered: boolean;
  gaps: number;
  failures: number;
  /** The edge has taken the credential of this connection. */
  isOpen: boolean;
}

interface ConnectionOptions extends SubscribeOptions {
  readonly path: string;
  readonly filter: Omit<SubscribeQuery, "after">;
  readonly place: Place;
}

async function* connection(
  transport: ClientTransport,
  options: ConnectionOptions,
): AsyncGenerator<SubscriptionItem, void, undefined> {
  const { path, filter, place } = options;
  const ended = new AbortController();
  const signal = options.signal === undefined ? ended.signal : AbortSignal.any([ended.signal, options.signal]);
  place.isOpen = false;
  const opening = transport.open({
    path,
    query: { ...filter },
    headers: {
      accept: "text/event-stream",
      ...(place.position === undefined ? {} : { "last-event-id": String(place.position) }),
    },
    repeatable: true,
    signal,
  });
  const response = await unlessSilent(opening, transport.clock, ended);
  place.isOpen = true;
  options.onConnection?.(true);
  if (response.headers.get(filteredHeader) === "true") place.isFiltered = true;
  try {
    for await (const message of messagesOf(response, transport, ended)) {
      place.failures = 0;
      const item = itemOf(message, place);
      if (item !== undefined) yield item;
    }
  } finally {
    ended.abort();
  }
}

/** Messages until the connection ends or is silent for 45 s: three heartbeats. */
async function* messagesOf(
  response: Response,
  transport: ClientTransport,
  ended: AbortController,
): AsyncGenerator<SseMessage, void, undefined> {
  if (response.body === null) return;
  const parser = new SseParser();
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  for (;;) {
    let chunk: Awaited<ReturnType<typeof reader.read>>;
    try {
      chunk = await unlessSilent(reader.read(), transport.clock, ended);
    } catch (cause) {
      throw new EventplaneError("unavailable", "The subscription's connection broke.", { cause });
    }
    if (chunk.done) return;
    yield* parser.push(decoder.decode(chunk.value, { stream: true }));
  }
}

function itemOf(message: SseMessage, place: Place): SubscriptionItem | undefined {
  if (message.event === "end") throw problemError(JSON.parse(message.data), 503);
  const position = Number(message.id);
  if (!Number.isSafeInteger(position)) return undefined;
  if (message.event === "bookmark") {
    place.position = Math.max(position, place.position ?? 0);
    return { type: "bookmark", position };
  }
  if (place.position !== undefined) {
    if (position <= place.position) return undefined;
    if (!place.isFiltered && position !== place.position + 1) throw gap(place, position);
  }
  place.position = position;
  place.gaps = 0;
  return { type: "event", event: JSON.parse(message.data) as Event }; // the edge sends events only
}

/** `unavailable` makes the loop connect again from the last position; a gap that stays is an error. */
function gap(place: Place, position: number): EventplaneError {
  place.gaps++;
  const message = `Position ${position} came where ${(place.position ?? 0) + 1} was due.`;
  return new EventplaneError(place.gaps < gapsInARowMax ? "unavailable" : "event_corrupt", message);
}

function mayReconnect(error: EventplaneError): boolean {
  return (
    error.retryable || !(finalCodes.has(error.code) || error.code === "event_corrupt" || error.code === "internal")
  );
}
