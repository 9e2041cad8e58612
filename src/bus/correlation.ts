/** What belongs together: correlation and causation of the code that runs, kept across awaits. */
import { AsyncLocalStorage } from "node:async_hooks";
import type { BusEvent, PublishOptions } from "./accepted-event.js";
import type { AnyHandler } from "./consumer-parts.js";
import { seesOneArgument } from "./handler-parameters.js";

/** What the events that are published now belong to, and the event that they follow from. */
export interface CorrelationScope {
  readonly correlationId: string;
  readonly causationId: string | undefined;
}

/** The scopes of one bus (`AsyncLocalStorage` of Node.js): each call, with all that it awaits, has its own. */
export class Correlation {
  readonly #storage = new AsyncLocalStorage<CorrelationScope>();

  /** The scope of the code that runs. */
  get current(): CorrelationScope | undefined {
    return this.#storage.getStore();
  }

  /** Calls `run` in a scope. */
  run<Result>(scope: CorrelationScope, run: () => Result): Result {
    return this.#storage.run(scope, run);
  }

  /** Calls `run` in no scope, whatever the caller's is. */
  outside<Result>(run: () => Result): Result {
    return this.#storage.exit(run);
  }

  /** The options with the scope's ids, where they say none. */
  fill(options: PublishOptions): PublishOptions {
    const scope = this.#storage.getStore();
    if (scope === undefined) return options;
    const { correlationId = scope.correlationId, causationId = scope.causationId } = options;
    return { ...options, correlationId, ...(causationId === undefined ? {} : { causationId }) };
  }

  /** The handler in the scope of each event that it gets, whoever published it and whenever its turn comes. */
  wrap(handler: AnyHandler): AnyHandler {
    // So that the bus makes no context for one that cannot see it.
    if (seesOneArgument(handler)) {
      const one = handler as (event: BusEvent) => unknown;
      return (event) => this.run(scopeOf(event), () => one(event));
    }
    return (event, context) => this.run(scopeOf(event), () => handler(event, context));
  }
}

/** The scope of what follows from an event: it belongs to what the event belongs to, or else to the event. */
export function scopeOf({ id, correlationId = id }: BusEvent): CorrelationScope {
  return { correlationId, causationId: id };
}
