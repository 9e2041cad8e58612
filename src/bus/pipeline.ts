/** What happens to the items of an async iterable, one after the other: processors `map`, `filter` and `batch`, and a sink at the end. */
import { type Clock, EventplaneError, systemClock } from "../kernel/index.js";
import { Gatherer, type PipelineCounts, type Pull, type Taken, Tap } from "./pipeline-parts.js";

/** An item that a processor or the sink could not handle. */
export interface PipelineFailure {
  readonly stage: "map" | "filter" | "sink";
  /** What the stage was given: an item, or an array of them after `batch`. */
  readonly input: unknown;
  /** As it was thrown: anything, also undefined. */
  readonly error: unknown;
}

/** Counts of a pipeline. */
export interface PipelineStatus {
  /** Items taken from the source. */
  readonly taken: number;
  /** Items that a filter left out. */
  readonly filtered: number;
  /** Inputs that a stage could not handle. */
  readonly failed: number;
  /** Inputs that the sink has handled. */
  readonly done: number;
}

/** How a pipeline ended: its source ended, it was stopped, or `error` ended it: the source's, or what `onError` threw. */
export type PipelineEnd =
  | { readonly outcome: "ended" | "stopped" }
  | { readonly outcome: "failed"; readonly error: unknown };

/** Choices of a sink. */
export interface SinkOptions {
  /** Called with each input that a stage could not handle, and awaited; the next ones are handled all the same. What it throws or rejects with ends the pipeline. */
  readonly onError: (failure: PipelineFailure) => unknown;
}

/** Bounds of a batch. */
export interface BatchOptions {
  /** Items of one batch at most, 1 to 100,000. */
  readonly size: number;
  /** How long the first of them waits for the others at most, milliseconds. */
  readonly withinMs: number;
}

/** A pipeline at work. */
export interface RunningPipeline {
  /** Never rejects. */
  readonly ended: Promise<PipelineEnd>;
  status(): PipelineStatus;
  /**
   * Takes nothing more, and lets what was taken go through to the sink, for at most `deadlineMs` milliseconds (5,000 by default).
   *
   * @returns whether that was done in time
   */
  stop(deadlineMs?: number): Promise<boolean>;
}

/** What the stages of one pipeline share while it is at work. */
interface Work {
  readonly counts: PipelineCounts;
  readonly clock: Pick<Clock, "sleep">;
  readonly source: Pull<unknown>;
  readonly fail: (failure: PipelineFailure) => Promise<void>;
}

const sizeMax = 100_000;
const withinMsMax = 86_400_000;
const stopDeadlineMs = 5_000;

/**
 * Begins a pipeline over a source, such as a stream of the bus. Nothing is taken before `sink` is called, and then one item after the other,
 * when the sink is done with the last: the queue of the subscription holds the rest, within its bounds.
 */
export function pipeline<Item>(
  source: AsyncIterable<Item>,
  options: { readonly clock?: Pick<Clock, "sleep"> } = {},
): Pipeline<Item> {
  // The stages take what the source gives.
  return new Pipeline<Item>({ source, clock: options.clock ?? systemClock }, (work) => work.source as Pull<Item>);
}

interface Origin {
  readonly source: AsyncIterable<unknown>;
  readonly clock: Pick<Clock, "sleep">;
}

/** A description of stages; each call adds one and leaves the pipeline that it was called on as it is. */
export class Pipeline<Item> {
  readonly #origin: Origin;
  readonly #open: (work: Work) => Pull<Item>;

  /** Made by {@link pipeline}. */
  constructor(origin: Origin, open: (work: Work) => Pull<Item>) {
    this.#origin = origin;
    this.#open = open;
  }

  /** Makes another item of each. */
  map<Made>(make: (item: Item) => Made | Promise<Made>): Pipeline<Made> {
    return this.#with((pull, { fail }) => async () => {
      for (;;) {
        const taken = await pull();
        if (taken.done) return taken;
        try {
          return { done: false, value: await make(taken.value) };
        } catch (error) {
          await fail({ stage: "map", input: taken.value, error });
        }
      }
    });
  }

  /** Lets those through for which it is true. */
  filter<Kept extends Item = Item>(
    isWanted: ((item: Item) => item is Kept) | ((item: Item) => boolean | Promise<boolean>),
  ): Pipeline<Kept> {
    return this.#with((pull, { fail, counts }) => async () => {
      for (;;) {
        const taken = await pull();
        if (taken.done) return taken;
        try {
          if ((await isWanted(taken.value)) === true) return taken as Taken<Kept>; // it says so
          counts.filtered++;
        } catch (error) {
          await fail({ stage: "filter", input: taken.value, error });
        }
      }
    });
  }

  /**
   * Gathers items: a batch goes on when it is full, when its first item has waited `withinMs`, or when the source ends.
   *
   * @throws EventplaneError `config_invalid` for a bound out of its range
   */
  batch({ size, withinMs }: BatchOptions): Pipeline<readonly Item[]> {
    if (!Number.isSafeInteger(size) || size < 1 || size > sizeMax)
      throw new EventplaneError("config_invalid", `The option size is a whole number from 1 to ${sizeMax}.`);
    if (!(withinMs >= 0 && withinMs <= withinMsMax))
      throw new EventplaneError("config_invalid", `The option withinMs is 0 to ${withinMsMax}.`);
    return this.#with((pull, { clock }) => {
      const gatherer = new Gatherer(pull, clock);
      return () => gatherer.gather(size, withinMs);
    });
  }

  /** Begins to take items, and gives each to `take`, which is awaited before the next. */
  sink(take: (item: Item) => unknown, options: SinkOptions): RunningPipeline {
    const { source, clock } = this.#origin;
    const counts: PipelineCounts = { taken: 0, filtered: 0, failed: 0, done: 0 };
    const tap = new Tap(source, counts);
    const fail = async (failure: PipelineFailure): Promise<void> => {
      counts.failed++;
      await options.onError(failure);
    };
    const pull = this.#open({ counts, clock, source: tap.pull, fail });
    const ended = run(pull, { take, counts, fail }).then(
      (): PipelineEnd => ({ outcome: tap.isStopped ? "stopped" : "ended" }),
      (error: unknown): PipelineEnd => {
        tap.stop();
        return { outcome: "failed", error };
      },
    );
    return {
      ended,
      status: () => ({ ...counts }),
      stop: (deadlineMs = stopDeadlineMs) => {
        tap.stop();
        return inTime(ended, clock, deadlineMs);
      },
    };
  }

  #with<Made>(stage: (pull: Pull<Item>, work: Work) => Pull<Made>): Pipeline<Made> {
    return new Pipeline(this.#origin, (work) => stage(this.#open(work), work));
  }
}

async function run<Item>(
  pull: Pull<Item>,
  to: { readonly take: (item: Item) => unknown; readonly counts: PipelineCounts; readonly fail: Work["fail"] },
): Promise<void> {
  for (let taken = await pull(); !taken.done; taken = await pull()) {
    try {
      await to.take(taken.value);
      to.counts.done++;
    } catch (error) {
      await to.fail({ stage: "sink", input: taken.value, error });
    }
  }
}

async function inTime(ended: Promise<unknown>, clock: Pick<Clock, "sleep">, deadlineMs: number): Promise<boolean> {
  const over = new AbortController();
  const late = clock.sleep(deadlineMs, over.signal).then(
    () => false,
    () => true,
  );
  const isInTime = await Promise.race([ended.then(() => true), late]);
  over.abort();
  return isInTime;
}
