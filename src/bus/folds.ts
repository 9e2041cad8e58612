/** Folds over the events of a context, kept while the events come: reading one looks at no event. */
import { EventplaneError } from "../kernel/index.js";
import type { EventOf } from "./accepted-event.js";
import type { BusContext, PatternsOf } from "./bus-context.js";
import type { TopicMap } from "./pattern.js";
import type { Subscription } from "./subscription.js";
import { type SubscriptionOptions, whole } from "./subscription-options.js";

/** Choices of a fold: those of its subscription, and how many keys it keeps. */
export interface FoldOptions<Event> extends Omit<SubscriptionOptions<Event>, "concurrency"> {
  /** 10,000 by default, at most 1,000,000. Events of further keys are counted in `beyond`, and otherwise passed over. */
  readonly keysMax?: number;
}

/** Of which key an event is: text of at most 256 characters. What it throws is a failure of the subscription. */
export interface KeyOption<Event> {
  readonly key: (event: Event) => string;
}

/** How one value follows from another. `step` may change the value that it is given and return it. */
export interface StepOptions<Event, Value> {
  readonly initial: () => Value;
  readonly step: (value: Value, event: Event) => Value;
}

/** What events came to, by key. */
export interface KeyedFold<Value> {
  readonly subscription: Subscription;
  /** Keys that are kept. */
  readonly size: number;
  /** Events of keys that were not kept, because there were `keysMax` already. */
  readonly beyond: number;
  /** The value of a key: one look-up. */
  get(key: string): Value | undefined;
  /** A copy of all, in the order in which the keys came: one step a key. */
  snapshot(): ReadonlyMap<string, Value>;
  /** Forgets a key. @returns whether it was there */
  delete(key: string): boolean;
}

/** What events came to. */
export interface SingleFold<Value> {
  readonly subscription: Subscription;
  readonly value: Value;
}

/** Numbers that came to this. `minimum` and `maximum` are undefined before the first. */
export interface Aggregate {
  readonly count: number;
  readonly sum: number;
  readonly minimum: number | undefined;
  readonly maximum: number | undefined;
  readonly mean: number | undefined;
}

const keysMaxDefault = 10_000;
const keysMaxMax = 1_000_000;
const keyCharactersMax = 256;

/** Counts events by key; by topic without one. Throws as `on` of the context. */
export function counter<Topics extends TopicMap, const Patterns extends string>(
  context: BusContext<Topics>,
  patterns: PatternsOf<Topics, Patterns>,
  options: FoldOptions<EventOf<Topics, Patterns>> & Partial<KeyOption<EventOf<Topics, Patterns>>> = {},
): KeyedFold<number> {
  const { key = ({ topic }: { readonly topic: string }) => topic, ...rest } = options;
  return groupBy(context, patterns, { ...rest, key, initial: () => 0, step: (count) => count + 1 });
}

/** The last event of each key. Throws as `on` of the context. */
export function latest<Topics extends TopicMap, const Patterns extends string>(
  context: BusContext<Topics>,
  patterns: PatternsOf<Topics, Patterns>,
  options: FoldOptions<EventOf<Topics, Patterns>> & KeyOption<EventOf<Topics, Patterns>>,
): KeyedFold<EventOf<Topics, Patterns>> {
  const step = (_: unknown, event: EventOf<Topics, Patterns>): EventOf<Topics, Patterns> => event;
  const kept: KeyedFold<EventOf<Topics, Patterns> | undefined> = groupBy(context, patterns, {
    ...options,
    initial: () => undefined,
    step,
  });
  return kept as KeyedFold<EventOf<Topics, Patterns>>; // a key is there only after a step
}

/** Folds the events of each key into a value of its own. Throws as `on` of the context. */
export function groupBy<Topics extends TopicMap, const Patterns extends string, Value>(
  context: BusContext<Topics>,
  patterns: PatternsOf<Topics, Patterns>,
  options: FoldOptions<EventOf<Topics, Patterns>> &
    KeyOption<EventOf<Topics, Patterns>> &
    StepOptions<EventOf<Topics, Patterns>, Value>,
): KeyedFold<Value> {
  const { key, initial, step, keysMax, ...subscription } = options;
  const values = new Values<Value>(whole("keysMax", keysMax ?? keysMaxDefault, { from: 1, to: keysMaxMax }));
  const take = (event: EventOf<Topics, Patterns>): void =>
    values.update(key(event), (value) => step(value === undefined ? initial() : value.value, event));
  return values.opened(context.on(patterns, take, subscription));
}

/** Folds all events into one value. Throws as `on` of the context. */
export function fold<Topics extends TopicMap, const Patterns extends string, Value>(
  context: BusContext<Topics>,
  patterns: PatternsOf<Topics, Patterns>,
  options: Omit<FoldOptions<EventOf<Topics, Patterns>>, "keysMax"> & StepOptions<EventOf<Topics, Patterns>, Value>,
): SingleFold<Value> {
  const { initial, step, ...subscription } = options;
  const kept = { value: initial() };
  const take = (event: EventOf<Topics, Patterns>): void => {
    kept.value = step(kept.value, event);
  };
  return Object.assign(kept, { subscription: context.on(patterns, take, subscription) });
}

/**
 * Adds up a number of each event, by key; by topic without one. A number that is not finite is a failure of the subscription. Throws as `on` of the
 * context.
 */
export function aggregate<Topics extends TopicMap, const Patterns extends string>(
  context: BusContext<Topics>,
  patterns: PatternsOf<Topics, Patterns>,
  options: FoldOptions<EventOf<Topics, Patterns>> &
    Partial<KeyOption<EventOf<Topics, Patterns>>> & { readonly value: (event: EventOf<Topics, Patterns>) => number },
): KeyedFold<Aggregate> {
  const { key = ({ topic }: { readonly topic: string }) => topic, value, ...rest } = options;
  const initial = (): Aggregate => nothingYet;
  return groupBy(context, patterns, { ...rest, key, initial, step: (known, event) => added(known, value(event)) });
}

const nothingYet: Aggregate = Object.freeze({
  count: 0,
  sum: 0,
  minimum: undefined,
  maximum: undefined,
  mean: undefined,
});

function added(known: Aggregate, value: number): Aggregate {
  if (!Number.isFinite(value)) throw new EventplaneError("request_invalid", "What is added up is a finite number.");
  const { minimum = value, maximum = value } = known;
  const count = known.count + 1;
  const sum = known.sum + value;
  return Object.freeze({
    count,
    sum,
    minimum: Math.min(minimum, value),
    maximum: Math.max(maximum, value),
    mean: sum / count,
  });
}

/** A bounded number of values by key. */
class Values<Value> {
  readonly #keysMax: number;
  readonly #values = new Map<string, { readonly value: Value }>();
  #beyond = 0;

  constructor(keysMax: number) {
    this.#keysMax = keysMax;
  }

  update(key: string, next: (known: { readonly value: Value } | undefined) => Value): void {
    if (typeof key !== "string" || key.length > keyCharactersMax)
      throw new EventplaneError("request_invalid", `A key is text of at most ${keyCharactersMax} characters.`);
    const known = this.#values.get(key);
    if (known === undefined && this.#values.size >= this.#keysMax) this.#beyond++;
    else this.#values.set(key, { value: next(known) });
  }

  opened(subscription: Subscription): KeyedFold<Value> {
    const values = this.#values;
    const beyond = (): number => this.#beyond;
    return {
      subscription,
      get size() {
        return values.size;
      },
      get beyond() {
        return beyond();
      },
      get: (key) => values.get(key)?.value,
      snapshot: () => new Map([...values].map(([key, { value }]) => [key, value])),
      delete: (key) => values.delete(key),
    };
  }
}
