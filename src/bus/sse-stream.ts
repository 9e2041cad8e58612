/** Events of a bus as frames of a text/event-stream, for browsers. */
import { type Clock, EventplaneError, type JsonValue, sseFrame, sseHeartbeat, systemClock } from "../kernel/index.js";
import type { BusEvent, EventOf } from "./accepted-event.js";
import type { BusContext, PatternsOf } from "./bus-context.js";
import type { BusStream, StreamOptions } from "./event-stream.js";
import type { TopicMap } from "./pattern.js";

/** Choices of an event stream. `overflow` is `drop-oldest` by default: a client that is slow holds up nobody, and is told of its gap. */
export interface SseOptions<Event = BusEvent> extends Omit<StreamOptions<Event>, "afterId"> {
  /** The Last-Event-ID of a client that comes back, as it was sent. */
  readonly lastEventId?: string | undefined;
  /** What of an event is sent; all of it by default. What it throws ends the stream. */
  readonly data?: (event: Event) => JsonValue;
  /** After so long without a frame a comment is sent; 15,000 by default. It may take up to twice as long. */
  readonly heartbeatMs?: number;
  /** How long a client waits before it comes back; its own default without one. */
  readonly retryMs?: number;
  readonly clock?: Pick<Clock, "sleep">;
}

/** The headers of a response that is an event stream. */
export const sseHeaders: Readonly<Record<string, string>> = Object.freeze({
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-store",
  "x-accel-buffering": "no",
});

const heartbeatMsDefault = 15_000;
const millisecondsMax = 86_400_000;
/** No topic has a `$`. */
const gapEvent = "$gap";

/**
 * The events that the patterns take, as frames: `id` is the event's id, `event` its topic, `data` its JSON. A frame is made when it is asked for, so
 * a response that is written with back-pressure holds the rest in the bounded queue of the subscription.
 *
 * A frame `$gap` says that events are missing before the next one: its data is `{ "reason": "history" }` when those after `lastEventId` are not all in the history
 * any more, and `{ "reason": "queue" }` when the queue dropped some.
 *
 * Throws as `on` of the context; `config_invalid` for a time out of its range. Ending the iteration ends the subscription.
 */
export function sse<Topics extends TopicMap, const Patterns extends string>(
  context: BusContext<Topics>,
  patterns: PatternsOf<Topics, Patterns>,
  options: SseOptions<EventOf<Topics, Patterns>> = {},
): AsyncIterableIterator<string, undefined> {
  const { lastEventId, data, heartbeatMs, retryMs, clock, ...subscription } = options;
  for (const [name, value] of Object.entries({ heartbeatMs, retryMs })) assertMilliseconds(name, value);
  const stream = context.stream(patterns, {
    overflow: "drop-oldest",
    ...subscription,
    ...(lastEventId === undefined ? {} : { afterId: lastEventId }),
  });
  // Without a function of the caller's, an event is what `JSON.stringify` makes of it.
  const dataOf = (data ?? ((event: BusEvent) => event)) as (event: BusEvent) => unknown;
  return new SseStream(stream as BusStream<BusEvent>, { dataOf, heartbeatMs, retryMs, clock });
}

interface Parts {
  readonly dataOf: (event: BusEvent) => unknown;
  readonly heartbeatMs: number | undefined;
  readonly retryMs: number | undefined;
  readonly clock: Pick<Clock, "sleep"> | undefined;
}

type Taken = IteratorResult<BusEvent, undefined>;

class SseStream implements AsyncIterableIterator<string, undefined> {
  readonly #stream: BusStream<BusEvent>;
  readonly #dataOf: (event: BusEvent) => unknown;
  readonly #heartbeatMs: number;
  readonly #clock: Pick<Clock, "sleep">;
  readonly #ended = new AbortController();
  /** Frames that go before the next event. */
  #first: string[];
  #event: Promise<Taken> | undefined = undefined;
  #isResting = false;
  #ring: () => void = () => undefined;
  #hasSent = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(stream: BusStream<BusEvent>, { dataOf, heartbeatMs, retryMs, clock }: Parts) {
    this.#stream = stream;
    this.#dataOf = dataOf;
    this.#heartbeatMs = heartbeatMs ?? heartbeatMsDefault;
    this.#clock = clock ?? systemClock;
    this.#first = [
      ...(retryMs === undefined ? [] : [sseFrame({ retryMs })]),
      ...(stream.isWhole ? [] : [gapFrame("history")]),
    ];
  }

  next(): Promise<IteratorResult<string, undefined>> {
    const frame = this.#last.then(() => this.#frameOrEnd());
    this.#last = frame.catch(() => undefined);
    return frame;
  }

  async return(): Promise<IteratorResult<string, undefined>> {
    this.#ended.abort();
    await this.#stream.return?.();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** What fails ends the stream: a loop does not tell an iterator that failed. */
  async #frameOrEnd(): Promise<IteratorResult<string, undefined>> {
    try {
      return await this.#frame();
    } catch (error) {
      await this.return();
      throw error;
    }
  }

  async #frame(): Promise<IteratorResult<string, undefined>> {
    const first = this.#first.shift();
    if (first !== undefined) return this.#send(first);
    for (;;) {
      const taken = await this.#eventOrRest();
      if (taken === undefined) {
        if (!this.#hasSent) return { done: false, value: sseHeartbeat };
        this.#hasSent = false;
      } else {
        this.#event = undefined;
        if (taken.done === true) return this.return();
        return this.#send(this.#eventFrames(taken.value));
      }
    }
  }

  /** @returns undefined when the time of a heartbeat has come */
  #eventOrRest(): Promise<Taken | undefined> {
    const event = (this.#event ??= this.#stream.next());
    if (!this.#isResting) void this.#rest();
    return new Promise((resolve, reject) => {
      this.#ring = () => resolve(undefined);
      event.then(resolve, reject);
    });
  }

  async #rest(): Promise<void> {
    this.#isResting = true;
    await this.#clock.sleep(this.#heartbeatMs, this.#ended.signal).catch(() => undefined);
    this.#isResting = false;
    // The end of the stream ended the wait.
    if (!this.#ended.signal.aborted) this.#ring();
  }

  #send(value: string): IteratorResult<string, undefined> {
    this.#hasSent = true;
    return { done: false, value };
  }

  #eventFrames(event: BusEvent): string {
    const gap = this.#stream.hasGap ? gapFrame("queue") : "";
    return gap + sseFrame({ id: event.id, event: event.topic, data: JSON.stringify(this.#dataOf(event)) });
  }
}

function gapFrame(reason: "history" | "queue"): string {
  return sseFrame({ event: gapEvent, data: JSON.stringify({ reason }) });
}

function assertMilliseconds(name: string, value: number | undefined): void {
  if (value === undefined || (value >= 1 && value <= millisecondsMax)) return;
  throw new EventplaneError("config_invalid", `The option ${name} is 1 to ${millisecondsMax}.`);
}
