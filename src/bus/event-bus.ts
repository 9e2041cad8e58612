/** The in-process event bus: typed topics, checked and frozen events, isolated handlers. */
import { EventplaneError } from "../kernel/index.js";
import { BusContext } from "./bus-context.js";
import { busLimits } from "./bus-limits.js";
import { type BusOptions, type BusShared, shareBus } from "./bus-options.js";
import { assertDeadline } from "./idle.js";
import type { TopicMap } from "./pattern.js";
import { Space } from "./space.js";

const defaultContext = "default";
const contextForm = /^[A-Za-z0-9._:-]{1,128}$/;

/** A bus. It is itself its context `default`; {@link EventBus.context} gives the others. */
export class EventBus<Topics extends TopicMap = Record<string, unknown>> extends BusContext<Topics> {
  readonly #shared: BusShared;
  readonly #contexts = new Map<string, BusContext<Topics>>();
  #isClosed = false;

  /** @throws EventplaneError `config_invalid` naming the option, or the topic whose schema cannot be used */
  constructor(options: BusOptions<Topics>) {
    // The compiler has checked the payloads' types; at run time a topic is its schema.
    const shared = shareBus(options as BusOptions<TopicMap>);
    super(new Space(defaultContext, shared), shared, () => undefined);
    this.#shared = shared;
  }

  /**
   * The context of this name, made when it is first asked for: an isolated space with subscriptions, limits and order of its own.
   *
   * @throws EventplaneError `request_invalid` for a name that is not 1 to 128 of `A-Z a-z 0-9 . _ : -`; `busy` beyond 1,000 contexts;
   * `unavailable` after the end of the bus
   */
  context(name: string): BusContext<Topics> {
    if (name === defaultContext) return this;
    const known = this.#contexts.get(name);
    if (known !== undefined) return known;
    if (!contextForm.test(name))
      throw new EventplaneError("request_invalid", "A context's name is 1 to 128 of A-Z a-z 0-9 . _ : -");
    if (this.#isClosed) throw new EventplaneError("unavailable", "The bus is closed.");
    if (this.#contexts.size >= busLimits.contextsMax)
      throw new EventplaneError("busy", `A bus has at most ${busLimits.contextsMax} contexts. Close some.`);
    const made: BusContext<Topics> = new BusContext(new Space(name, this.#shared), this.#shared, () => {
      // It may be closed a second time, when another one has its name.
      if (this.#contexts.get(name) === made) this.#contexts.delete(name);
    });
    this.#contexts.set(name, made);
    return made;
  }

  /** As that of a context, for all contexts at once; the names of other contexts follow their context and `/`. */
  override reauthorize(): readonly string[] {
    const others = [...this.#contexts.values()].flatMap((one) =>
      one.reauthorize().map((name) => `${one.name}/${name}`),
    );
    return [...super.reauthorize(), ...others];
  }

  /** As that of a context, for all contexts at once. */
  override async close(options: { readonly deadlineMs?: number } = {}): Promise<boolean> {
    assertDeadline(options.deadlineMs ?? 0);
    this.#isClosed = true;
    const ends = await Promise.all([
      super.close(options),
      ...[...this.#contexts.values()].map((one) => one.close(options)),
    ]);
    return ends.every(Boolean);
  }
}
