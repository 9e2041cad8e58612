/** A piece of work that takes time, told by events: it started, it got further, it ended. */
import { EventplaneError, type JsonObject } from "../kernel/index.js";
import type { PublishOptions } from "./accepted-event.js";
import type { Correlation } from "./correlation.js";
import type { Unpublished } from "./delayed-events.js";
import { type KeptError, keptError } from "./kept-error.js";
import { type Topic, topic } from "./topic.js";

/** How an operation ended. `abandoned`: it was disposed of before it was said to have ended. */
export type OperationOutcome = "done" | "failed" | "abandoned";

/** Payload of `<name>.started`. */
export interface OperationStarted {
  readonly operationId: string;
  readonly detail: JsonObject;
}

/** Payload of `<name>.updated`. */
export interface OperationUpdated extends OperationStarted {
  /** Milliseconds since it started. */
  readonly elapsedMs: number;
}

/** Payload of `<name>.ended`. */
export interface OperationEnded extends OperationStarted {
  readonly durationMs: number;
  readonly outcome: OperationOutcome;
  /** What it failed with, without secrets, control characters and stack; only of `failed`. */
  readonly error?: KeptError;
}

/** The topics of an operation. */
export type OperationTopics<Name extends string> = {
  readonly [Key in `${Name}.started`]: Topic<OperationStarted>;
} & { readonly [Key in `${Name}.updated`]: Topic<OperationUpdated> } & {
  readonly [Key in `${Name}.ended`]: Topic<OperationEnded>;
};

/** What is said of an operation when it starts; the options are those of all of its events. */
export interface OperationOptions extends Omit<PublishOptions, "id" | "schemaVersion"> {
  /** In the event `started`. */
  readonly detail?: JsonObject;
}

/** An operation under way. Its events have one correlation id, and those after `started` follow from it. */
export interface Operation extends Disposable {
  /** Also the id of its event `started`. */
  readonly id: string;
  /** The id, or its promise when a full queue makes the publisher of `started` wait. */
  readonly begun: string | Promise<string>;
  /** Calls `work` in the scope of the operation, if the bus keeps correlation. */
  run<Result>(work: () => Result): Result;
  /** Publishes `updated`. Throws as `publish`; `request_invalid` after the end. */
  update(detail: JsonObject): string | Promise<string>;
  /** Publishes `ended` with the outcome `done`. Throws as `publish`, and may be called again then; `request_invalid` after the end. */
  end(detail?: JsonObject): string | Promise<string>;
  /** As `end`, with the outcome `failed` and what of the error may be told. */
  fail(error: unknown, detail?: JsonObject): string | Promise<string>;
}

/** Operations of one context. */
export interface OperationCounts {
  open: number;
  done: number;
  failed: number;
  abandoned: number;
}

/** What an operation uses of its publisher. */
export interface OperationHost {
  readonly publish: (topic: string, payload: unknown, options: PublishOptions) => string | Promise<string>;
  /** Tells that an end could not be published. Never throws. */
  readonly unpublished: (told: Omit<Unpublished, "context">) => void;
  readonly monotonicMs: () => number;
  readonly correlation: Correlation | undefined;
  readonly counts: OperationCounts;
}

const detail = { type: "object" } as const;
const operationId = { type: "string", minLength: 1, maxLength: 128 } as const;
const milliseconds = { type: "number", minimum: 0 } as const;
const text = { type: "string", maxLength: 1_000 } as const;
const started = { operationId, detail } as const;
const ended = {
  ...started,
  durationMs: milliseconds,
  outcome: { enum: ["done", "failed", "abandoned"] },
  error: {
    type: "object",
    properties: { name: text, code: text, message: text },
    required: ["name", "message"],
    additionalProperties: false,
  },
} as const;

/** The topics `<name>.started`, `<name>.updated` and `<name>.ended`, to be spread into those of a bus. */
export function operationTopics<const Name extends string>(name: Name): OperationTopics<Name> {
  const closed = { type: "object", additionalProperties: false } as const;
  // The compiler cannot compute names of members.
  return {
    [`${name}.started`]: topic({ ...closed, properties: started, required: ["operationId", "detail"] }),
    [`${name}.updated`]: topic({
      ...closed,
      properties: { ...started, elapsedMs: milliseconds },
      required: ["operationId", "detail", "elapsedMs"],
    }),
    [`${name}.ended`]: topic({
      ...closed,
      properties: ended,
      required: ["operationId", "detail", "durationMs", "outcome"],
    }),
  } as unknown as OperationTopics<Name>;
}

type EndOf = Pick<OperationEnded, "detail" | "error">;

/** An operation from its start on. */
export class OpenOperation implements Operation {
  readonly id: string;
  readonly begun: string | Promise<string>;
  readonly #name: string;
  readonly #host: OperationHost;
  readonly #options: PublishOptions;
  readonly #correlationId: string;
  readonly #beganAtMs: number;
  #isEnded = false;

  /** Publishes `started`, and throws as `publish` when that is refused. */
  constructor(host: OperationHost, about: { readonly id: string; readonly name: string }, options: OperationOptions) {
    const { detail: of = {}, ...publishOptions } = options;
    const { id, name } = about;
    this.id = id;
    this.#name = name;
    this.#host = host;
    this.#correlationId = options.correlationId ?? id;
    this.#options = { ...publishOptions, correlationId: this.#correlationId };
    this.#beganAtMs = host.monotonicMs();
    this.begun = host.publish(`${name}.started`, { operationId: id, detail: of }, { ...this.#options, id });
    host.counts.open++;
  }

  run<Result>(work: () => Result): Result {
    const { correlation } = this.#host;
    if (correlation === undefined) return work();
    return correlation.run({ correlationId: this.#correlationId, causationId: this.id }, work);
  }

  update(of: JsonObject): string | Promise<string> {
    this.#assertOpen();
    return this.#publish("updated", { elapsedMs: this.#elapsedMs(), detail: of });
  }

  end(of: JsonObject = {}): string | Promise<string> {
    return this.#end("done", { detail: of });
  }

  fail(error: unknown, of: JsonObject = {}): string | Promise<string> {
    return this.#end("failed", { detail: of, error: keptError(error) });
  }

  /** An operation that was not ended ends as `abandoned`; never throws. */
  [Symbol.dispose](): void {
    void this.#endQuietly("abandoned", { detail: {} });
  }

  /** Does the work of the operation, and ends it with what becomes of that. @returns what `work` does, or throws it */
  async complete<Result>(work: (operation: Operation) => Result | Promise<Result>): Promise<Result> {
    await this.begun;
    try {
      const result = await this.run(() => work(this));
      await this.#endQuietly("done", { detail: {} });
      return result;
    } catch (error) {
      await this.#endQuietly("failed", { detail: {}, error: keptError(error) });
      throw error;
    }
  }

  /** The work is over, whatever becomes of the event about it. */
  async #endQuietly(outcome: OperationOutcome, of: EndOf): Promise<void> {
    if (this.#isEnded) return;
    try {
      await this.#end(outcome, of);
    } catch (error) {
      this.#ended(outcome);
      const told = error as EventplaneError; // publications are refused with nothing else
      this.#host.unpublished({ id: this.id, topic: `${this.#name}.ended`, error: told });
    }
  }

  #end(outcome: OperationOutcome, of: EndOf): string | Promise<string> {
    this.#assertOpen();
    const published = this.#publish("ended", { durationMs: this.#elapsedMs(), outcome, ...of });
    this.#ended(outcome);
    return published;
  }

  #ended(outcome: OperationOutcome): void {
    this.#isEnded = true;
    const { counts } = this.#host;
    counts.open--;
    counts[outcome]++;
  }

  #publish(stage: "updated" | "ended", payload: object): string | Promise<string> {
    const options = { ...this.#options, causationId: this.id };
    return this.#host.publish(`${this.#name}.${stage}`, { operationId: this.id, ...payload }, options);
  }

  #elapsedMs(): number {
    return this.#host.monotonicMs() - this.#beganAtMs;
  }

  #assertOpen(): void {
    if (this.#isEnded)
      throw new EventplaneError("request_invalid", `The operation ${this.#name} ${this.id} has ended.`);
  }
}
