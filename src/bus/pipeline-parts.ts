/** The first and the gathering part of a pipeline. */
import type { Clock } from "../kernel/index.js";
import { callBack } from "./callback.js";

/** An item, or the end. */
export type Taken<Item> = { readonly done: false; readonly value: Item } | { readonly done: true };
/** Asks for the next item; rejects when the source fails. One call at a time. */
export type Pull<Item> = () => Promise<Taken<Item>>;

/** Counts of one pipeline. */
export interface PipelineCounts {
  taken: number;
  filtered: number;
  failed: number;
  done: number;
}

const nothing: Taken<never> = { done: true };

/** The source, which can be shut while the next item is waited for. */
export class Tap {
  readonly #iterator: AsyncIterator<unknown>;
  readonly #counts: PipelineCounts;
  /** Ends the wait for the next item. */
  #shut: () => void = () => undefined;
  /** Whether it was stopped. */
  isStopped = false;

  constructor(source: AsyncIterable<unknown>, counts: PipelineCounts) {
    this.#iterator = source[Symbol.asyncIterator]();
    this.#counts = counts;
  }

  /** The next item. */
  readonly pull: Pull<unknown> = async () => {
    if (this.isStopped) return nothing;
    const taken = await new Promise<IteratorResult<unknown>>((resolve, reject) => {
      this.#shut = () => resolve({ done: true, value: undefined });
      this.#iterator.next().then(resolve, reject);
    });
    if (taken.done === true) return nothing;
    this.#counts.taken++;
    return { done: false, value: taken.value };
  };

  /** Nothing is taken any more; whoever waits is told. Calling it again is harmless. */
  stop(): void {
    if (this.isStopped) return;
    this.isStopped = true;
    this.#shut();
    // A source that cannot end, or fails to, has nothing to say any more.
    callBack(
      () => this.#iterator.return?.(),
      () => undefined,
    );
  }
}

const tooLate = Symbol("too late");

/** Gathers batches. An item that was asked for when a batch went on is the first of the next. */
export class Gatherer<Item> {
  readonly #pull: Pull<Item>;
  readonly #clock: Pick<Clock, "sleep">;
  #asked: Promise<Taken<Item>> | undefined = undefined;
  #isEnded = false;

  constructor(pull: Pull<Item>, clock: Pick<Clock, "sleep">) {
    this.#pull = pull;
    this.#clock = clock;
  }

  /** The next batch, of `size` items at most. */
  async gather(size: number, withinMs: number): Promise<Taken<readonly Item[]>> {
    const batch: Item[] = [];
    const over = new AbortController();
    let late: Promise<typeof tooLate> | undefined;
    try {
      while (!this.#isEnded && batch.length < size) {
        this.#asked ??= this.#pull();
        const taken = await (late === undefined ? this.#asked : Promise.race([this.#asked, late]));
        if (taken === tooLate) break;
        this.#asked = undefined;
        if (taken.done) this.#isEnded = true;
        else batch.push(taken.value);
        late ??= this.#late(withinMs, over.signal);
      }
    } finally {
      over.abort();
    }
    return batch.length === 0 ? nothing : { done: false, value: batch };
  }

  async #late(withinMs: number, signal: AbortSignal): Promise<typeof tooLate> {
    // A batch that went on for another reason ends the wait.
    await this.#clock.sleep(withinMs, signal).catch(() => undefined);
    return tooLate;
  }
}
